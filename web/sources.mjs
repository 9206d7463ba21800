// The digest of all that dist/ is made of: `node sources.mjs` prints it, `node sources.mjs write` keeps it in dist/.
// tests/web/test_dist.py computes the same without Node.js.
import {createHash} from 'node:crypto';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';

const root = new URL('.', import.meta.url);
const own = ['index.html', 'package-lock.json', 'package.json', 'tsconfig.json', 'vite.config.ts'];
const sources = readdirSync(new URL('src', root), {recursive: true, withFileTypes: true})
  .filter((entry) => entry.isFile() && entry.name !== 'schema.d.ts' && !entry.name.endsWith('.test.ts'))
  .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll('\\', '/').replace(/^.*\/src\//, 'src/'));
const digest = createHash('sha256');
for (const path of [...own, ...sources].sort()) {
  digest.update(`${path}\0`).update(readFileSync(new URL(path, root))).update('\0');
}
const text = digest.digest('hex');
if (process.argv[2] === 'write') writeFileSync(new URL('dist/sources.sha256', root), `${text}\n`);
else console.log(text);
