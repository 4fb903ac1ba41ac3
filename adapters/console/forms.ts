import { DoorRefusal, readBody } from '../../src/api/requests.js'
import { type CreditError, ERROR_CODES, InvalidInputError, isCreditError } from '../../src/errors.js'
import type { BodyLimits } from '../../src/request-body.js'
import type { Form, Visit } from './frame.js'
import { html, type HtmlValue, nothing, type SafeHtml } from './html.js'

/** Why a form was not accepted. */
export interface Refused {
  status: number
  message: string
  /** By the field's name. */
  fields: ReadonlyMap<string, string>
  /** Of its fields, where a page has several forms. */
  scope?: string | undefined
}

/**
 * Do what a form asks for. Refusals of the service come back, for the page to show the form again; what is wrong with the
 * host's set-up, or with us, is thrown on. `scope`: the form's, where a page has several.
 */
export async function attempt<R>(
  work: () => Promise<R>,
  scope?: string,
): Promise<{ refused: Refused; value?: never } | { refused: null; value: R }> {
  try {
    return { refused: null, value: await work() }
  } catch (error) {
    if (!isCreditError(error) || ERROR_CODES[error.code].httpStatus === 500) throw error
    if (error.code === 'UNAUTHORIZED' || error.code === 'FORBIDDEN') throw error
    return { refused: { ...refused(error), scope } }
  }
}

function refused(error: CreditError): Refused {
  const status = ERROR_CODES[error.code].httpStatus
  const whole = (message: string) => ({ status, message, fields: new Map<string, string>() })
  if (error.code === 'IDEMPOTENCY_CONFLICT') return whole(USED_BEFORE)
  if (error.code === 'INVALID_AMOUNT')
    return { status, message: PLEASE_CHECK, fields: new Map([['amount', error.message]]) }
  if (!(error instanceof InvalidInputError)) return whole(error.message)
  if (error.issues.some(({ path }) => path === 'idempotencyKey')) return whole(USED_BEFORE)
  const fields = new Map(error.issues.map(({ path, message }) => [path.split('.')[0] ?? '', plainWords(message)]))
  return { status, message: PLEASE_CHECK, fields }
}

const PLEASE_CHECK = 'Please check what you entered.'
const USED_BEFORE = 'This was sent before. To do it once more, send it again.'

/** The schemas' own words say what programmers need. */
export function plainWords(message: string): string {
  const [, least] = /^Too small: expected \w+ to be >=(-?\d+)/.exec(message) ?? []
  if (least !== undefined) return `Must be at least ${least}`
  const [, most] = /^Too big: expected \w+ to be <=(-?\d+)/.exec(message) ?? []
  if (most !== undefined) return `Must be at most ${most}`
  if (message.startsWith('Too small: expected string')) return 'Please fill this in'
  if (/received undefined$/.test(message)) return 'Please fill this in'
  if (/^Invalid input: expected (int|number)/.test(message)) return 'Must be a whole number'
  return message
}

interface FormOptions {
  /** Own path below the base path. */
  action: string
  submit: string
  body?: HtmlValue
  /** Moves money or credits: a double click or a reload does it once. Default false. */
  keyed?: boolean
  /** How the button looks. Default `primary`. */
  look?: 'primary' | 'plain' | 'danger'
  /** Says more than the button's own words to those who can't see what stands around it. */
  label?: string
  /** Beside the button, such as a link back. */
  beside?: HtmlValue
  /** Fields and button in one row. Default false. */
  isInline?: boolean
}

/** A form of ours, which posts with its token. */
export function form(visit: Visit, options: FormOptions): SafeHtml {
  const { action, submit, body, keyed = false, look = 'primary', label, beside, isInline = false } = options
  return html`<form method="post" action="${visit.path(action)}" class="${isInline ? 'inline' : 'form'}">
    <input type="hidden" name="token" value="${visit.token}" />
    ${keyed ? html`<input type="hidden" name="key" value="${crypto.randomUUID()}" />` : nothing} ${body}
    <div class="buttons">
      <button class="button ${look}" ${label === undefined ? nothing : html`aria-label="${label}"`}>${submit}</button>
      ${beside}
    </div>
  </form>`
}

interface FieldOptions {
  name: string
  label: string
  value?: string | number | null | undefined
  hint?: string | undefined
  problem?: Refused | null | undefined
  required?: boolean | undefined
  /** Several forms on one page may have fields of one name: a word that tells their ids apart. */
  scope?: string | undefined
}

interface TextOptions extends FieldOptions {
  type?: 'text' | 'number' | 'date' | 'search' | 'email' | undefined
  min?: number | string | undefined
  max?: number | string | undefined
  step?: number | 'any' | undefined
  maxlength?: number | undefined
  autocomplete?: string | undefined
}

export function textField(options: TextOptions): SafeHtml {
  const { name, value, type = 'text', min, max, step, maxlength, autocomplete = 'off' } = options
  return field(
    options,
    (shared) =>
      html`<input
        type="${type}"
        name="${name}"
        value="${value ?? ''}"
        autocomplete="${autocomplete}"
        ${shared}
        ${optional('min', min)}
        ${optional('max', max)}
        ${optional('step', step)}
        ${optional('maxlength', maxlength)}
        ${type === 'number' ? html`inputmode="numeric"` : nothing}
      />`,
  )
}

export function textAreaField(options: FieldOptions & { rows?: number; maxlength?: number }): SafeHtml {
  const { name, value, rows = 3, maxlength } = options
  const limit = optional('maxlength', maxlength)
  return field(
    options,
    // A line break right after the tag would be dropped by browsers, so there is one to drop.
    (shared) => html`<textarea name="${name}" rows="${rows}" ${limit} ${shared}>${'\n'}${value ?? ''}</textarea>`,
  )
}

export function selectField(
  options: FieldOptions & { choices: readonly { value: string | number; label: string }[] },
): SafeHtml {
  const { name, value, choices } = options
  const items = choices.map(
    (choice) =>
      html`<option value="${choice.value}" ${String(choice.value) === String(value ?? '') ? html`selected` : nothing}>
        ${choice.label}
      </option>`,
  )
  return field(
    options,
    (shared) =>
      html`<select name="${name}" ${shared}>
        ${items}
      </select>`,
  )
}

export function checkboxField({
  name,
  label,
  hint,
  isChecked,
  scope,
}: FieldOptions & { isChecked: boolean }): SafeHtml {
  const id = idOf(name, scope)
  const described = hint === undefined ? nothing : html`aria-describedby="${id}-hint"`
  return html`<div class="field check">
    <input type="checkbox" id="${id}" name="${name}" value="yes" ${described} ${isChecked ? html`checked` : nothing} />
    <label for="${id}">${label}</label>
    ${hint === undefined ? nothing : html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`
}

/** Label, hint and error around a control, tied to it. */
function field(options: FieldOptions, control: (shared: SafeHtml) => SafeHtml): SafeHtml {
  const { name, label, hint, problem, required = false, scope } = options
  const id = idOf(name, scope)
  const error = problem?.fields.get(name)
  const described = [hint === undefined ? '' : `${id}-hint`, error === undefined ? '' : `${id}-error`].join(' ').trim()
  const shared = html`id="${id}" ${described === '' ? nothing : html`aria-describedby="${described}"`}
  ${error === undefined ? nothing : html`aria-invalid="true"`} ${required ? html`required` : nothing}`
  return html`<div class="field${error === undefined ? '' : ' wrong'}">
    <label for="${id}">${label}</label>
    ${hint === undefined ? nothing : html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error === undefined ? nothing : html`<p class="error" id="${id}-error">${sentence(error)}</p>`} ${control(shared)}
  </div>`
}

/** Where the summary of a refused form links to. */
export function idOf(name: string, scope?: string): string {
  return scope === undefined ? `field-${name}` : `field-${scope}-${name}`
}

function optional(name: string, value: string | number | undefined): SafeHtml {
  return value === undefined ? nothing : html`${name}="${value}"`
}

export function sentence(message: string): string {
  const text = message.slice(0, 1).toUpperCase() + message.slice(1)
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** Of ours alone: nobody can make the key of somebody else's write by a form. */
const KEY_PREFIX = 'console-'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function toForm(sent: URLSearchParams): Form {
  const text = (name: string) => (sent.get(name) ?? '').trim()
  return {
    text,
    optionalText: (name) => text(name) || undefined,
    number: (name) => (text(name) === '' ? undefined : Number(text(name))),
    isChecked: (name) => sent.has(name),
    key: () => {
      if (!UUID.test(text('key'))) throw new InvalidInputError([{ path: 'key', message: 'is not from this form' }])
      return `${KEY_PREFIX}${text('key')}`
    },
  }
}

/** The fields a browser sent, read no further than a form of ours can be long. */
export async function readForm(request: Request, limits: BodyLimits): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers.get('content-type') ?? ''))
    throw new DoorRefusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'Only forms can be sent here')
  const bytes = await readBody(request, limits)
  return new URLSearchParams(new TextDecoder().decode(bytes))
}
