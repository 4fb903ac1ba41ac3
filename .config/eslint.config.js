import js from '@eslint/js'
import tseslint from 'typescript-eslint'

/** DESIGN section 2: which room may import what. `test/architecture.test.ts` proves the same from the sources. */
const drivers = [
  'drizzle-orm*',
  'pg',
  'postgres',
  '@electric-sql/*',
  'stripe',
  'ioredis',
  'redis',
  'express',
  'next*',
  'hono*',
  '@trpc/*',
  'react*',
]
const forbid = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] })

export default tseslint.config(
  { ignores: ['**/node_modules/**', 'dist/**', '**/.next/**', 'examples/next/**', '**/next-env.d.ts'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['.config/*.js', '.size-limit.js'] },
        tsconfigRootDir: new URL('..', import.meta.url).pathname,
      },
    },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/require-await': 'off',
      // There are no enums, and looking for them takes a tenth of the time.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
    },
  },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  { files: ['.config/*.js', '.size-limit.js'], languageOptions: { globals: { URL: 'readonly' } } },
  // The examples stand for themselves: linted with the project's types all the same.
  {
    files: ['examples/express/**/*.ts', 'examples/hono/**/*.ts'],
    languageOptions: { parserOptions: { projectService: false, project: ['./tsconfig.json'] } },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/defaults.ts'],
    rules: forbid(
      { group: drivers, message: 'src knows no driver and no framework.' },
      { group: ['node:*'], message: 'src uses no node built-in.' },
      { group: ['**/adapters/**'], message: 'src never imports adapters (src/defaults.ts is the one exception).' },
    ),
  },
  {
    files: ['src/ledger/**/*.ts'],
    rules: forbid(
      { group: ['../*', '!../errors.js'], message: 'The ledger imports only itself and src/errors.ts.' },
      { group: [...drivers, 'zod', 'uuid', 'node:*'], message: 'The ledger is pure.' },
    ),
  },
  {
    files: ['src/ports/**/*.ts'],
    rules: forbid({ regex: '^\\.\\./(?!ledger/)', message: "Ports import only the ledger's types." }),
  },
)
