// Typed operations for TypeScript from schema.graphql, as graphql-codegen makes them.
import { codegen } from "@graphql-codegen/core";
import * as documentNode from "@graphql-codegen/typed-document-node";
import * as operations from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";
import { readFileSync, writeFileSync } from "node:fs";

const [schema, documents, output] = process.argv.slice(2);
const scalars = { Date: "string", DateTime: "string", Decimal: "string", BigInt: "string" };
const config = { scalars, strictScalars: true, useTypeImports: true, enumsAsTypes: true };
writeFileSync(
  output,
  await codegen({
    filename: output,
    schema: parse(readFileSync(schema, "utf8")),
    documents: [{ location: documents, document: parse(readFileSync(documents, "utf8")) }],
    plugins: [{ operations: {} }, { documentNode: {} }],
    pluginMap: { operations, documentNode },
    config,
  }),
);
