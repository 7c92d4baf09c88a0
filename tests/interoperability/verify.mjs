// Verifies the cases on stdin with three libraries, and prints what each read, or null where it refused.
import { readFileSync } from 'node:fs'
import { importJWK, jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { createVerifier } from 'fast-jwt'

const libraries = {
  jose: async ({ token, alg, secret, jwk }) => {
    const key = secret ? new TextEncoder().encode(secret) : await importJWK(jwk, alg)
    return (await jwtVerify(token, key, { algorithms: [alg] })).payload
  },
  jsonwebtoken: async ({ token, alg, secret, pem }) => jsonwebtoken.verify(token, secret ?? pem, { algorithms: [alg] }),
  'fast-jwt': async ({ token, alg, secret, pem }) => createVerifier({ key: secret ?? pem, algorithms: [alg] })(token),
}

const cases = JSON.parse(readFileSync(0, 'utf8'))
const printed = {}
for (const [library, verify] of Object.entries(libraries)) {
  printed[library] = []
  for (const each of cases) {
    printed[library].push(await verify(each).catch(() => null))
  }
}
process.stdout.write(JSON.stringify(printed))
