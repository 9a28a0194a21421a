// Bundles the pinned npm packages into static files: node build.mjs <output folder>
//
// Everything ends up on the server's own origin in a form that a strict
// Content-Security-Policy accepts: no inline script, no eval, no data: fonts.

import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, transform } from 'esbuild';

const out = path.resolve(process.argv[2]);
const modules = path.resolve('node_modules');

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

// GraphiQL's style sheet already holds the editor's, so those that the modules
// import one by one are dropped.
const dropModuleCss = {
  name: 'drop-module-css',
  setup(plugin) {
    plugin.onLoad({ filter: /\.css$/ }, () => ({ contents: '', loader: 'css' }));
  },
};

// GraphiQL formats JSON with half a megabyte of Prettier's JavaScript parser; the
// JSON parser that it bundles anyway has a formatter too.
const formatJsonLightly = {
  name: 'format-json-lightly',
  setup(plugin) {
    plugin.onLoad({ filter: /@graphiql\/react\/dist\/utility\/jsonc\.js$/ }, async (args) => {
      const source = await readFile(args.path, 'utf8');
      const contents = source
        .replace(/async function formatJSONC\(content\) \{[^]*?\n\}/, FORMAT_JSON)
        .replace('import { parse,', 'import { applyEdits, format, parse,');
      if (!contents.includes('applyEdits(content')) throw new Error('formatJSONC has changed');
      return { contents, loader: 'js' };
    });
  },
};
const FORMAT_JSON = `async function formatJSONC(content) {
  return applyEdits(content, format(content, undefined, { insertSpaces: true, tabSize: 2 }));
}`;

// The page and its workers share one graph of chunks, so the workers are modules.
const { metafile } = await build({
  entryPoints: {
    graphiql: 'src/graphiql.js',
    'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
    'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
  },
  outdir: out,
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  format: 'esm',
  minify: true,
  target: 'es2022',
  define: { 'process.env.NODE_ENV': '"production"' },
  // The old name is the same plugin in a module format that esbuild cannot take apart.
  alias: { 'prettier/parser-graphql': 'prettier/plugins/graphql' },
  legalComments: 'none', // the whole licences are in THIRD_PARTY_LICENSES.txt
  metafile: true,
  logLevel: 'warning',
  plugins: [dropModuleCss, formatJsonLightly],
});
for (const name of await readdir(out)) {
  if (name.endsWith('.css')) await rm(path.join(out, name));
}

// GraphiQL's sheet carries its fonts as data: addresses in every alphabet. Only
// the editor's icons stay, as a file; the text fonts come from their own packages.
const FONTS = [
  ['Roboto', 400, '@fontsource/roboto/files/roboto-latin-400-normal.woff2'],
  ['Roboto', 500, '@fontsource/roboto/files/roboto-latin-500-normal.woff2'],
  ['Roboto', 700, '@fontsource/roboto/files/roboto-latin-700-normal.woff2'],
  ['Fira Code', 400, '@fontsource/fira-code/files/fira-code-latin-400-normal.woff2'],
];

let sheet = await readFile(path.join(modules, 'graphiql/dist/style.css'), 'utf8');
let icons;
sheet = sheet.replace(/@font-face\s*\{[^}]*\}/g, (face) => (face.includes('codicon') ? face : ''));
sheet = sheet.replace(/url\(["']?data:font\/ttf;base64,([^)"']+)["']?\)/g, (_match, data) => {
  icons = Buffer.from(data, 'base64');
  return 'url(./codicon.ttf)';
});
if (!icons || sheet.includes('url(data:font')) throw new Error('the icon font was not found');
await writeFile(path.join(out, 'codicon.ttf'), icons);
for (const [family, weight, file] of FONTS) {
  const name = path.basename(file);
  await cp(path.join(modules, file), path.join(out, name));
  sheet += `@font-face{font-family:"${family}";font-weight:${weight};font-style:normal;`;
  sheet += `font-display:block;src:url(./${name}) format("woff2")}`;
}
const css = await transform(sheet, { loader: 'css', minify: true, legalComments: 'none' });
await writeFile(path.join(out, 'graphiql.css'), css.code);

// The licence of every package that left a byte in the output.
const shipped = new Set(['graphiql', 'monaco-editor', '@fontsource/roboto', '@fontsource/fira-code']);
for (const { inputs } of Object.values(metafile.outputs)) {
  for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
    const owner = /node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(input);
    if (owner && bytesInOutput > 0) shipped.add(owner[0].replace('node_modules/', ''));
  }
}

// Some packages leave the text of their licence out; it is the one that another
// package of the same authors carries.
const SAME_AUTHORS = [
  [/react-compiler-runtime$/, 'react'],
  [/^(@graphiql\/|graphql-language-service$|monaco-graphql$)/, 'graphiql'],
  [/^react-remove-scroll-bar$/, 'react-remove-scroll'],
];

const notices = [];
for (const place of [...shipped].sort()) {
  const folder = path.join(modules, place);
  const { name, version, license } = JSON.parse(
    await readFile(path.join(folder, 'package.json'), 'utf8'),
  );
  const text = (await licenceTexts(folder)) ?? (await licenceTexts(sibling(place)));
  if (!license || !text) throw new Error(`${place}: no licence found`);
  notices.push(`${name} ${version} (${license})\n${'-'.repeat(72)}\n${text}`);
}
const preface =
  'The files in this folder are built from the packages below, each under the licence given.\n' +
  'scripts/vendor-graphiql writes this file and all the others here.\n\n' +
  'codicon.ttf holds the Visual Studio Code icons, copyright Microsoft Corporation, under the\n' +
  'Creative Commons Attribution 4.0 International licence.\n';
await writeFile(
  path.join(out, 'THIRD_PARTY_LICENSES.txt'),
  [preface, ...notices].join(`\n${'='.repeat(72)}\n`),
);

function sibling(place) {
  const found = SAME_AUTHORS.find(([pattern]) => pattern.test(place));
  return found && path.join(modules, found[1]);
}

async function licenceTexts(folder) {
  if (!folder) return undefined;
  const names = (await readdir(folder)).filter((name) =>
    /^(licen[cs]e|notice|thirdpartynotices)/i.test(name),
  );
  const texts = await Promise.all(
    names.sort().map((name) => readFile(path.join(folder, name), 'utf8')),
  );
  return texts.length ? texts.map((text) => text.trim() + '\n').join('\n') : undefined;
}
