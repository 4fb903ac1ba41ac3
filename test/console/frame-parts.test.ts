import { describe, expect, it } from 'vitest'
import { accent } from '../../adapters/console/accent.js'
import { barChart } from '../../adapters/console/chart.js'
import { csvDownload, csvLine } from '../../adapters/console/csv.js'
import { formats } from '../../adapters/console/formats.js'
import { plainWords } from '../../adapters/console/forms.js'
import { html, webUrl } from '../../adapters/console/html.js'
import { table } from '../../adapters/console/parts.js'

const en = formats('en', 'UTC', {})

describe('html', () => {
  it('takes what is filled in for text, in elements and in attributes', () => {
    const hostile = `"><script>alert('1')</script>&amp;`
    const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;'
    expect(html`<p title="${hostile}">${hostile}</p>`.toString()).toBe(`<p title="${escaped}">${escaped}</p>`)
  })

  it('keeps markup only where it was made by itself, in lists too', () => {
    const items = ['a', '<b>'].map((text) => html`<i>${text}</i>`)
    expect(html`<b>${items}${['<u>']}</b>`.toString()).toBe('<b><i>a</i><i>&lt;b&gt;</i>&lt;u&gt;</b>')
    const faked = { toString: () => '<b>' } as unknown as string
    expect(html`${html`<b></b>`}${null}${undefined}${false}${0}`.toString()).toBe('<b></b>0')
    expect(() => html`${faked}`).toThrow(TypeError)
  })

  it('refuses attributes without quotes, where escaping would not be enough', () => {
    // prettier-ignore
    expect(() => html`<a title=${'x onclick=y'}>`).toThrow(/quote the attribute/)
    expect(html`<p>${'a title='}${'b'}</p>`.toString()).toBe('<p>a title=b</p>')
  })

  it('links only to web pages', () => {
    expect(webUrl('https://pay.example/c/1?a=b')).toBe('https://pay.example/c/1?a=b')
    for (const url of ['javascript:alert(1)', 'data:text/html,x', '/own', 'mailto:a@b.c', ''])
      expect(webUrl(url)).toBeNull()
  })
})

describe('figures', () => {
  it('shows money with the decimals the provider counts in', () => {
    expect(en.money(999, 'usd')).toBe('$9.99')
    expect(en.money(999, 'jpy')).toBe('¥999')
    expect(en.money(1234, 'kwd')).toBe('KWD\u00a01.234')
    // ISO 4217 has no decimals for these two, and two for the last; Stripe counts otherwise.
    expect(en.money(50_000, 'isk')).toBe('ISK\u00a0500')
    expect(en.money(50_000, 'ugx')).toBe('UGX\u00a0500')
    expect(en.money(500, 'mga')).toBe('MGA\u00a0500')
    expect(en.money(-999, 'usd')).toBe('−$9.99')
    expect(formats('de', 'UTC', {}).money(123_456, 'eur')).toBe('1.234,56\u00a0€')
  })

  it('reads money back as it was typed, to the last digit', () => {
    expect(en.minorOf('9.99', 'usd')).toBe(999)
    expect(en.minorOf('1.1', 'usd')).toBe(110)
    expect(en.minorOf('4.35', 'usd')).toBe(435)
    expect(en.minorOf('500', 'jpy')).toBe(500)
    expect(en.minorOf('1.234', 'kwd')).toBe(1234)
    for (const typed of ['', '1.999', '-1', '1e3', 'ten', '1,5', ' ']) expect(en.minorOf(typed, 'usd')).toBeNaN()
    expect(en.minorOf(en.amountIn(7999, 'usd'), 'usd')).toBe(7999)
  })

  it('begins a day where its time zone does, also when clocks change', () => {
    const berlin = formats('en', 'Europe/Berlin', {})
    expect(berlin.startOfDay('2026-03-29')?.toISOString()).toBe('2026-03-28T23:00:00.000Z')
    expect(berlin.startOfDay('2026-03-30')?.toISOString()).toBe('2026-03-29T22:00:00.000Z')
    expect(berlin.startOfDay('2026-10-25')?.toISOString()).toBe('2026-10-24T22:00:00.000Z')
    expect(berlin.today(new Date('2026-11-23T23:30:00Z'))).toBe('2026-11-24')
    expect(en.dayAfter('2026-12-31')).toBe('2027-01-01')
    for (const text of ['2026-02-30', '23.11.2026', '', '2026-11-23T00:00']) expect(en.startOfDay(text)).toBeNull()
  })

  it('says when something was and will be', () => {
    const now = new Date('2026-11-23T12:00:00Z')
    const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000)
    expect(en.relative(inDays(5), now)).toBe('in 5 days')
    expect(en.relative(inDays(1), now)).toBe('tomorrow')
    expect(en.relative(inDays(0.25), now)).toBe('in 6 hours')
    expect(en.relative(inDays(-3), now)).toBe('3 days ago')
  })

  it('calls credit types as the host says, and never by what every object has', () => {
    const named = formats('en', 'UTC', { enrichment: 'Leads' })
    expect(named.creditType('enrichment')).toBe('Leads')
    expect(named.creditType('lead_scraping')).toBe('Lead scraping')
    expect(named.creditType('constructor')).toBe('Constructor')
  })

  it('translates what schemas say to programmers', () => {
    expect(plainWords('Too small: expected number to be >=1')).toBe('Must be at least 1')
    expect(plainWords('Too big: expected number to be <=1000')).toBe('Must be at most 1000')
    expect(plainWords('Invalid input: expected number, received NaN')).toBe('Must be a whole number')
    expect(plainWords('Invalid input: expected string, received undefined')).toBe('Please fill this in')
  })
})

describe('the accent colour', () => {
  const luminance = (hex: string) => {
    const [red = 0, green = 0, blue = 0] = (hex.match(/[0-9a-f]{2}/gi) ?? []).map((pair) => {
      const value = Number.parseInt(pair, 16) / 255
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const contrast = (a: string, b: string) => {
    const [x, y] = [luminance(a) + 0.05, luminance(b) + 0.05]
    return Math.max(x, y) / Math.min(x, y)
  }

  it.each(['#4f46e5', '#ffee00', '#000000', '#ffffff', '#00ff88', '#777777'])(
    '%s can be read wherever it is',
    (hex) => {
      const { fill, onFill, onLight, onDark } = accent(hex, { light: '#f6f7f9', dark: '#2a3040' })
      expect(contrast(fill, onFill)).toBeGreaterThanOrEqual(4.5)
      expect(contrast(onLight, '#f6f7f9')).toBeGreaterThanOrEqual(4.5)
      expect(contrast(onDark, '#2a3040')).toBeGreaterThanOrEqual(4.5)
    },
  )
})

describe('tables and charts', () => {
  it('have a caption, scopes, and each cell’s column for narrow screens', () => {
    const made = table('Days', [{ head: 'Day', isRowHead: true, cell: (day: string) => day }], ['<Mon>']).toString()
    expect(made).toMatch(/<caption[^>]*>\s*Days\s*<\/caption>/)
    expect(made).toContain('scope="col"')
    expect(made).toContain('scope="row"')
    expect(made).toContain('data-head="Day"')
    expect(made).toContain('&lt;Mon&gt;')
  })

  it('draw one bar per day and say the same as a table', () => {
    const days = ['2026-11-21', '2026-11-22', '2026-11-23']
    const made = barChart({ title: 'Used', days, series: [{ name: 'Used', values: [0, 40, 80] }], show: en }).toString()
    expect(made.match(/<rect /g)).toHaveLength(2)
    expect(made).toContain('role="img"')
    expect(made).toContain('Used, Nov 22: 40')
    expect(made).toMatch(/<td[^>]*>80<\/td>/)
  })
})

describe('CSV', () => {
  it('quotes by RFC 4180', () => {
    expect(csvLine(['plain', 'a,b', 'say "hi"', 'two\nlines', '', null, 7])).toBe(
      'plain,"a,b","say ""hi""","two\nlines",,,7\r\n',
    )
    expect(csvLine([new Date('2026-11-23T08:00:00Z')])).toBe('2026-11-23T08:00:00.000Z\r\n')
  })

  it('leaves nothing for a spreadsheet to run, and numbers as they are', () => {
    const cells = ['=1+1', '+SUM(A1)', '-2+3', '@cmd', '\t=1', '\r=1', '-5', '+5.25', -5]
    expect(csvLine(cells)).toBe(`'=1+1,'+SUM(A1),'-2+3,'@cmd,'\t=1,"'\r=1",-5,+5.25,-5\r\n`)
    expect(csvLine(['=HYPERLINK("https://evil.example","x")'])).toBe(
      `"'=HYPERLINK(""https://evil.example"",""x"")"\r\n`,
    )
  })

  it('reads a page only when the one before is taken, and stops when nobody listens', async () => {
    let read = 0
    let isDone = false
    async function* pages() {
      try {
        for (;;) yield await Promise.resolve(`${(read += 1)}\r\n`)
      } finally {
        isDone = true
      }
    }
    const { body } = csvDownload('all', ['n'], pages())
    const reader = body?.getReader()
    await reader?.read()
    await reader?.read()
    expect(read).toBeLessThan(4)
    await reader?.cancel()
    expect(isDone).toBe(true)
  })

  it('breaks off when a page can’t be read, so that half a list is no list', async () => {
    async function* pages() {
      yield '1\r\n'
      await Promise.reject(new Error('the database is gone'))
    }
    await expect(csvDownload('all', ['n'], pages()).text()).rejects.toThrow('the database is gone')
  })
})
