import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvRows } from '../../adapters/cli/csv-rows.js'

async function read(...chunks: string[]): Promise<[line: number, cells: string[]][]> {
  const rows: [number, string[]][] = []
  async function* stream() {
    yield* chunks
  }
  for await (const { line, cells } of csvRows(stream())) rows.push([line, cells])
  return rows
}

describe('rows of a CSV file', () => {
  it('know the line they begin on, whatever ends a line', async () => {
    expect(await read('a,b\n1,2\n\n3,"x\ny"\n5,6')).toEqual([
      [1, ['a', 'b']],
      [2, ['1', '2']],
      [4, ['3', 'x\ny']],
      [6, ['5', '6']],
    ])
    expect(await read('a,b\r\n1,', '\r', '\n3,4\r\n')).toEqual([
      [1, ['a', 'b']],
      [2, ['1', '']],
      [3, ['3', '4']],
    ])
    expect(await read('a\rb')).toEqual([
      [1, ['a']],
      [2, ['b']],
    ])
  })

  it('hold quotes, commas and line ends inside of quotes, and leave a byte order mark out', async () => {
    expect(await read('\uFEFFuser,"say ""hi"", all"\n"",x\n')).toEqual([
      [1, ['user', 'say "hi", all']],
      [2, ['', 'x']],
    ])
  })

  it('are refused with their line where a quote is misplaced or never closed', async () => {
    await expect(read('a\nb"c\n')).rejects.toThrow('line 2: a quote in the middle')
    await expect(read('a\n"b"c\n')).rejects.toThrow('line 2: a quote in the middle')
    await expect(read('a\nb,"c\nd')).rejects.toThrow('line 2: a quote is never closed')
    await expect(read(`a\n"${'x'.repeat(70_000)}`)).rejects.toThrow('line 2: the row is too long')
  })

  it('come out as they were written, however the file is cut into pieces', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', 'é', '😀', ' ') })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell)), fc.integer({ min: 1, max: 7 }), async (rows, size) => {
        const quote = (text: string) => `"${text.replaceAll('"', '""')}"`
        const text = rows.map((cells) => `${cells.map(quote).join(',')}\r\n`).join('')
        // Streams cut between characters, never inside of one.
        const chars = Array.from(text)
        const pieces = Array.from({ length: Math.ceil(chars.length / size) }, (_, index) =>
          chars.slice(index * size, (index + 1) * size).join(''),
        )
        expect((await read(...pieces)).map(([, cells]) => cells)).toEqual(rows)
      }),
    )
  })
})
