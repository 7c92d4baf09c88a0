// What people would pick in node, with the key parsed once. Reads one JSON object a line and answers with one:
// {setup: …} -> {names}, {show, kind} -> {tokens}, {run, kind, count} -> {seconds}, by its own clock.
import { createPrivateKey } from "node:crypto";
import { createInterface } from "node:readline";

import { createSigner } from "fast-jwt";
import { SignJWT } from "jose";
import jsonwebtoken from "jsonwebtoken";

let contestants = {};

function setUp({ secret, pem, kid, issuer, audience, user_id, lifetime, more }) {
  const key = createPrivateKey(pem);
  const secretBytes = new TextEncoder().encode(secret);
  const now = () => Math.floor(Date.now() / 1000);
  const intercomClaims = () => ({ user_id, exp: now() + lifetime, ...more });
  const salesforceClaims = () => {
    const iat = now();
    return { iss: issuer, sub: user_id, aud: audience, exp: iat + lifetime, iat };
  };
  // fast-jwt takes the PEM itself and keeps it parsed; noTimestamp leaves the claims as they are.
  const fastHmac = createSigner({ key: secret, algorithm: "HS256", noTimestamp: true });
  const fastRsa = createSigner({ key: pem, algorithm: "RS256", kid });
  contestants = {
    jsonwebtoken: [
      () => jsonwebtoken.sign(intercomClaims(), secret, { algorithm: "HS256", noTimestamp: true }),
      () => jsonwebtoken.sign(salesforceClaims(), key, { algorithm: "RS256", keyid: kid }),
    ],
    "jose (node)": [
      () => new SignJWT(intercomClaims()).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(secretBytes),
      () => new SignJWT(salesforceClaims()).setProtectedHeader({ alg: "RS256", typ: "JWT", kid }).sign(key),
    ],
    "fast-jwt": [() => fastHmac(intercomClaims()), () => fastRsa(salesforceClaims())],
  };
  return { names: Object.keys(contestants) };
}

async function show({ show: name }) {
  const [intercom, salesforce] = contestants[name];
  return { tokens: [await intercom(), await salesforce()] };
}

async function run({ run: name, kind, count }) {
  const [intercom, salesforce] = contestants[name];
  const start = process.hrtime.bigint();
  for (let turn = 0; turn < count; turn += 1) {
    const first = intercom();
    if (first instanceof Promise) await first;
    if (kind === "pair") {
      const second = salesforce();
      if (second instanceof Promise) await second;
    }
  }
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9 };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer = request.setup ? setUp(request.setup) : request.show ? await show(request) : await run(request);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
