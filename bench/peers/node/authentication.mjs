// The least that is fair: an access token's signature, issuer, audience and expiry are checked when
// it is first seen, then it is known by its text; a till's key is known by its hash.

import { createHash, createPublicKey, verify } from "node:crypto";

const KNOWN = 200_000; // tokens that are remembered

export class Authentication {
  constructor(config) {
    this.config = config;
    this.keys = new Map(config.jwks.keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: "jwk" })]));
    this.known = new Map();
  }

  // What resolvers ask who calls.
  of(header) {
    const token = header?.startsWith("Bearer ") ? header.slice(7) : "";
    let caller = this.known.get(token);
    if (caller === undefined) {
      caller = this.read(token);
      if (this.known.size >= KNOWN) this.known.clear();
      this.known.set(token, caller);
    }
    if (caller.expires <= Date.now() / 1000) throw new Error("the token has expired");
    return caller;
  }

  read(token) {
    if (createHash("sha256").update(token).digest("hex") === this.config.keyHash) {
      return { member: null, expires: Infinity };
    }
    const [head, body, signature] = token.split(".");
    const header = JSON.parse(Buffer.from(head, "base64url"));
    const key = this.keys.get(header.kid);
    const signed = Buffer.from(`${head}.${body}`);
    if (key === undefined || header.alg !== "EdDSA" || !verify(null, signed, key, Buffer.from(signature, "base64url"))) {
      throw new Error("the token is none of ours");
    }
    const claims = JSON.parse(Buffer.from(body, "base64url"));
    if (claims.iss !== this.config.issuer || claims.aud !== this.config.audience) {
      throw new Error("the token is not for us");
    }
    return { member: claims.member, expires: claims.exp };
  }
}
