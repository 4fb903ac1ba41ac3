import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { llmsText } from './llms.js'
import { referencePages } from './reference.js'

/* npm run docs: write docs/reference/ from the declarations that `npm run build` made, and docs/llms.txt from all pages. */
const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'docs/reference')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const { file, text } of referencePages(root)) writeFileSync(join(folder, file), text)
writeFileSync(join(root, 'docs/llms.txt'), llmsText(root))
