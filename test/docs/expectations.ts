import ts from 'typescript'
import type { CodeModule } from './pages.js'

/** What a page says a line results in. */
export interface Expectation {
  page: string
  line: number
  /** As `node:util` shows it, or `throws CODE`. */
  expected: string
}

interface Edit {
  start: number
  end: number
  text: string
}

/**
 * The code of a file, with each result that a comment `// → …` tells handed to `__value(index, …)`, `__log(index, …)` or
 * `__throws(index, …)`.
 */
export function compared({ page, code, lines }: CodeModule): { code: string; expectations: Expectation[] } {
  const file = ts.createSourceFile('block.tsx', code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX)
  const expectations: Expectation[] = []
  const edits: Edit[] = []
  code.split('\n').forEach((text, at) => {
    const expected = /\/\/ → (.+)$/.exec(text)?.[1]
    if (expected === undefined) return
    const line = lines[at] ?? 0
    const edit = editOf(file, at, expectations.length, expected.startsWith('throws '))
    if (edit === null) throw new Error(`${page}:${line}: nothing on this line has a result`)
    expectations.push({ page, line, expected })
    edits.push(...edit)
  })
  const edited = edits
    .sort((a, b) => b.start - a.start)
    .reduce((text, { start, end, text: put }) => text.slice(0, start) + put + text.slice(end), code)
  return { code: edited, expectations }
}

/** How to hear of the result of what ends on a line: what is logged, else the value of a statement. */
function editOf(file: ts.SourceFile, line: number, index: number, isThrown: boolean): Edit[] | null {
  const ending = nodesEndingOn(file, line)
  const logged = ending.find(isConsoleLog)
  if (logged !== undefined) {
    const [first] = logged.arguments
    const start = logged.expression.getStart(file)
    return [{ start, end: first?.getStart(file) ?? logged.expression.end, text: `__log(${index}, ` }]
  }
  const statement = ending.find((node) => ts.isExpressionStatement(node) || ts.isVariableStatement(node))
  if (statement === undefined) return null
  if (isThrown) {
    const text = `await __throws(${index}, async () => {`
    return [
      { start: statement.getStart(file), end: statement.getStart(file), text },
      { start: statement.end, end: statement.end, text: '})' },
    ]
  }
  const value = ts.isExpressionStatement(statement)
    ? statement.expression
    : statement.declarationList.declarations.at(-1)?.initializer
  if (value === undefined) return null
  return [
    { start: value.getStart(file), end: value.getStart(file), text: `__value(${index}, ` },
    { start: value.end, end: value.end, text: ')' },
  ]
}

type Ending = ts.CallExpression | ts.ExpressionStatement | ts.VariableStatement

/** Innermost last. */
function nodesEndingOn(file: ts.SourceFile, line: number): Ending[] {
  const found: Ending[] = []
  const visit = (node: ts.Node): void => {
    const isOne = ts.isCallExpression(node) || ts.isExpressionStatement(node) || ts.isVariableStatement(node)
    if (isOne && file.getLineAndCharacterOfPosition(node.end).line === line) found.push(node)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function isConsoleLog(node: Ending): node is ts.CallExpression {
  return ts.isCallExpression(node) && node.expression.getText() === 'console.log'
}
