import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/*
 * The API reference, and the report of what the public types are: a page per entry point, made from the declarations that
 * are published. What changes them changes a page, so that a reviewer sees it.
 */

export interface Page {
  /** Beneath docs/reference/. */
  file: string
  text: string
  /** Exported, and without a doc comment. */
  undocumented: string[]
}

interface Entry {
  /** What users import, such as `creditkit/api`. */
  name: string
  file: string
  symbols: Map<string, ts.Symbol>
}

const printer = ts.createPrinter({ newLine: ts.NewLineKind.LineFeed })

/** `root`: the folder with package.json and the build. */
export function referencePages(root: string): Page[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, unknown> }
  const declared = Object.entries(manifest.exports).flatMap(([path, target]) => {
    const types: unknown = typeof target === 'object' && target !== null ? Reflect.get(target, 'types') : undefined
    return typeof types === 'string' ? [{ name: path.replace(/^\./, 'creditkit'), types: join(root, types) }] : []
  })
  const program = ts.createProgram(
    declared.map(({ types }) => types),
    { module: ts.ModuleKind.NodeNext, noLib: true, types: [], skipLibCheck: true },
  )
  const checker = program.getTypeChecker()
  const entries = declared.map(({ name, types }): Entry => {
    const source = program.getSourceFile(types)
    const module = source && checker.getSymbolAtLocation(source)
    const exported = module ? checker.getExportsOfModule(module) : []
    const file = `${name.replace(/^creditkit\/?/, '').replaceAll('/', '-') || 'creditkit'}.md`
    return { name, file, symbols: new Map(exported.map((symbol) => [symbol.name, target(checker, symbol)])) }
  })
  const pages = entries.map((entry) => entryPage(entry, entries, checker, join(root, 'dist')))
  return [indexPage(entries), ...pages]
}

function target(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

function indexPage(entries: readonly Entry[]): Page {
  const rows = entries.map(({ name, file, symbols }) => {
    const values = [...symbols].filter(([, symbol]) => symbol.flags & ts.SymbolFlags.Value).map(([key]) => `\`${key}\``)
    const shown = values.filter((value) => !/Input`$|Error`$/.test(value))
    return `| [\`${name}\`](${file}) | ${shown.sort().join(', ')} |`
  })
  const text = [
    '# API reference',
    GENERATED,
    'What each entry point exports, as its published types say it. Inputs are described by their fields; a schema of the same name checks them.',
    ['| import | gives |', '| --- | --- |', ...rows].join('\n'),
  ]
  return { file: 'README.md', text: `${text.join('\n\n')}\n`, undocumented: [] }
}

const GENERATED = '<!-- Made by `npm run docs` from the doc comments in the sources. Change those. -->'

function entryPage(entry: Entry, entries: readonly Entry[], checker: ts.TypeChecker, dist: string): Page {
  const sorted = [...entry.symbols].sort(([a], [b]) => rank(entry, a) - rank(entry, b) || (a < b ? -1 : 1))
  const undocumented: string[] = []
  const schemas: string[] = []
  const sections: string[] = []
  for (const [name, symbol] of sorted) {
    const elsewhere = entries.find((other) => other !== entry && isHome(other, entry) && other.symbols.has(name))
    if (elsewhere !== undefined && elsewhere.symbols.get(name) === symbol) {
      sections.push(`## ${name}\n\nThe same as in [\`${elsewhere.name}\`](${elsewhere.file}#${name.toLowerCase()}).`)
      continue
    }
    if (isSchema(symbol)) {
      schemas.push(`\`${name}\``)
      continue
    }
    if (documentation(symbol, checker) === '') undocumented.push(name)
    sections.push(section(name, symbol, checker))
  }
  const others = reachable([...entry.symbols.values()], entries, checker, dist)
  const text = [
    `# ${entry.name}`,
    GENERATED,
    ...sections,
    ...(schemas.length === 0 ? [] : [`## Schemas\n\nZod schemas of the inputs above: ${schemas.join(', ')}.`]),
    ...(others.length === 0 ? [] : [`## Types these use\n\n${others.map(code).join('\n\n')}`]),
  ]
  return { file: entry.file, text: `${text.join('\n\n')}\n`, undocumented }
}

/** Where what both export is described: in the shorter path, `creditkit` before all. */
function isHome(other: Entry, entry: Entry): boolean {
  return other.name.length < entry.name.length
}

/** Classes, then functions and values, then types. */
function rank(entry: Entry, name: string): number {
  const flags = entry.symbols.get(name)?.flags ?? 0
  if (flags & ts.SymbolFlags.Class) return name.endsWith('Error') ? 2 : 0
  return flags & ts.SymbolFlags.Value ? 1 : 3
}

function isSchema(symbol: ts.Symbol): boolean {
  const [declaration] = symbol.declarations ?? []
  if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return false
  return /^(z|zod)\.Zod/.test(declaration.type?.getText() ?? '')
}

function documentation(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const prose = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  const declarations = symbol.declarations ?? []
  return [prose, ...declarations.flatMap((declaration) => tagLines(declaration))].join('\n\n').trim()
}

function tagLines(declaration: ts.Node): string[] {
  const tags = ts.getJSDocTags(declaration).flatMap((tag) => {
    const text = ts.getTextOfJSDocComment(tag.comment) ?? ''
    if (ts.isJSDocThrowsTag(tag)) return [`- Throws \`${tag.typeExpression?.type.getText() ?? 'Error'}\`${said(text)}`]
    return text === '' ? [] : [`- \`@${tag.tagName.text}\` ${text}`]
  })
  return tags.length === 0 ? [] : [[...new Set(tags)].join('\n')]
}

function said(text: string): string {
  return text === '' ? '' : `: ${text}`
}

function section(name: string, symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const parts = [`## ${name}`]
  const prose = documentation(symbol, checker)
  if (prose !== '') parts.push(prose)
  const declarations = symbol.declarations ?? []
  for (const declaration of declarations) {
    if (ts.isClassDeclaration(declaration)) parts.push(...classParts(declaration, checker))
  }
  const others = declarations.filter((declaration) => !ts.isClassDeclaration(declaration))
  if (others.length > 0) parts.push(code(others.map((declaration) => outer(declaration)).join('\n')))
  return parts.join('\n\n')
}

/** The head of a class, and its methods by name, with all their forms. */
function classParts(declaration: ts.ClassDeclaration, checker: ts.TypeChecker): string[] {
  const isErrorClass = declaration.name?.text.endsWith('Error') ?? false
  const visible = declaration.members.filter((member) => !isHidden(member))
  if (isErrorClass)
    return [
      code(
        outer(
          ts.factory.updateClassDeclaration(
            declaration,
            declaration.modifiers,
            declaration.name,
            declaration.typeParameters,
            declaration.heritageClauses,
            visible,
          ),
          declaration,
        ),
      ),
    ]
  const head = declaration.getText().slice(0, declaration.members.pos - declaration.getStart())
  const fields = visible.filter((member) => !ts.isMethodDeclaration(member))
  const methods = new Map<string, ts.MethodDeclaration[]>()
  for (const member of visible.filter(ts.isMethodDeclaration)) {
    const name = member.name.getText()
    methods.set(name, [...(methods.get(name) ?? []), member])
  }
  const shown = [
    head.replace(/^(export )?(declare )?/, '').trim(),
    ...fields.map((field) => indented(withComment(field))),
    '}',
  ]
  return [code(shown.join('\n')), ...[...methods].map(([name, forms]) => methodPart(name, forms, checker))]
}

function methodPart(name: string, forms: readonly ts.MethodDeclaration[], checker: ts.TypeChecker): string {
  const [first] = forms
  const symbol = first && checker.getSymbolAtLocation(first.name)
  const prose = symbol ? documentation(symbol, checker) : ''
  const signatures = code(forms.map((form) => form.getText()).join('\n'))
  return [`### ${name}`, ...(prose === '' ? [] : [prose]), signatures].join('\n\n')
}

function isHidden(member: ts.ClassElement): boolean {
  const isPrivate =
    ts.canHaveModifiers(member) &&
    ts
      .getModifiers(member)
      ?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.ProtectedKeyword)
  return isPrivate === true || (member.name !== undefined && ts.isPrivateIdentifier(member.name))
}

/** A declaration's text without its own comment, which stands above it as prose, and with those of its members. */
function outer(declaration: ts.Node, original: ts.Node = declaration): string {
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
  const source = original.getSourceFile()
  const text =
    statement === original ? statement.getText(source) : printer.printNode(ts.EmitHint.Unspecified, statement, source)
  return text.replace(/^(export )?(declare )?/, '')
}

function withComment(member: ts.Node): string {
  const text = member.getFullText()
  return text.replace(/^\s*\n/, '').replace(/^ {4}/gm, '')
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

function code(text: string): string {
  return `\`\`\`ts\n${text.replaceAll(/^((?: {4})+)/gm, (spaces) => ' '.repeat(spaces.length / 2))}\n\`\`\``
}

/** Declarations of ours that exported ones name, and that no entry exports: in the order they are met. */
function reachable(
  from: readonly ts.Symbol[],
  entries: readonly Entry[],
  checker: ts.TypeChecker,
  dist: string,
): string[] {
  const exported = new Set(entries.flatMap(({ symbols }) => [...symbols.values()]))
  const found = new Map<ts.Symbol, string>()
  const visit = (node: ts.Node): void => {
    // Hosts give constructors options; what else they take is between us.
    if (ts.isConstructorDeclaration(node) || (ts.isClassElement(node) && isHidden(node))) return
    if (ts.isIdentifier(node)) {
      const symbol = checker.getSymbolAtLocation(node)
      const resolved = symbol && target(checker, symbol)
      const [declaration] = resolved?.declarations ?? []
      const isOurs = declaration?.getSourceFile().fileName.startsWith(dist) === true
      if (
        resolved &&
        declaration &&
        isOurs &&
        isTopLevel(declaration) &&
        !exported.has(resolved) &&
        !found.has(resolved)
      ) {
        found.set(resolved, '')
        found.set(
          resolved,
          declaration
            .getFullText()
            .trim()
            .replaceAll(/^(export )?(declare )?/gm, ''),
        )
        visit(declaration)
      }
    }
    ts.forEachChild(node, visit)
  }
  const visible = from.filter((symbol) => !isSchema(symbol)).flatMap(({ declarations }) => declarations ?? [])
  visible.filter((declaration) => declaration.getSourceFile().fileName.startsWith(dist)).forEach(visit)
  return [...found.values()]
}

function isTopLevel(declaration: ts.Declaration): boolean {
  return !ts.isSourceFile(declaration) && ts.isSourceFile(declaration.parent) && !ts.isImportDeclaration(declaration)
}
