import {
  type Attributes,
  type Counter,
  diag,
  type Histogram,
  type MeterProvider,
  metrics,
  type Span,
  SpanStatusCode,
  trace,
  type TracerProvider,
} from '@opentelemetry/api'
import { ERROR_CODES, isCreditError } from '../src/errors.js'
import type { Telemetry, TelemetryCall } from '../src/ports/telemetry.js'

/** Where spans and metrics go: to the providers your app has registered, unless others are given. */
export interface OpenTelemetryOptions {
  /** Default: the global one, whenever it is registered. */
  tracerProvider?: TracerProvider | undefined
  /** Default: the global one. Register it before the first call of the service. */
  meterProvider?: MeterProvider | undefined
  /**
   * More attributes for a call's span, such as the user's id. `args` is what the method was given. Default: none, since
   * arguments hold user ids, keys and texts. Metrics never get them.
   */
  spanAttributes?: ((call: { operation: string; args: readonly unknown[] }) => Attributes) | undefined
}

const SCOPE = 'creditkit'

/** In seconds, as the conventions advise for clients of databases. */
const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

/**
 * Traces and metrics of a `CreditService`, for its option `telemetry`.
 *
 * A span for each call of a public method, `creditkit.deductCredits`, under the host's own; the histogram
 * `creditkit.operation.duration` in seconds; and what happened to credits: `creditkit.credits.granted`, `.spent`,
 * `.removed` and `.refused`. Attributes are names we or the host's options know: never ids, keys or texts.
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  const { tracerProvider = trace, meterProvider, spanAttributes } = options
  const tracer = tracerProvider.getTracer(SCOPE)
  // With the first call, not with the service: unlike tracers, meters don't wait for an SDK that is registered later.
  let instruments: Instruments | null = null
  const measure = (): Instruments => (instruments ??= toInstruments(meterProvider ?? metrics.getMeterProvider()))

  return {
    call(call, work) {
      const begun = performance.now()
      return tracer.startActiveSpan(`creditkit.${call.operation}`, async (span) => {
        let result
        try {
          result = await work()
        } catch (error) {
          end(call, span, begun, outcomeOf(error), undefined)
          throw error
        }
        end(call, span, begun, isReplayed(result) ? { ...OK, 'creditkit.replayed': true } : OK, result)
        return result
      })
    },

    moved(movements) {
      const { granted, spent, removed } = measure()
      for (const { creditType, transactionType, amount } of movements) {
        const counter = amount > 0 ? granted : transactionType === 'usage' ? spent : removed
        const attributes = { 'creditkit.credit_type': creditType, 'creditkit.transaction.type': transactionType }
        counter.add(Math.abs(amount), attributes)
      }
    },

    refused({ creditType, amount }) {
      measure().refused.add(amount, creditTypeAttribute(creditType))
    },
  }

  function end(call: TelemetryCall, span: Span, begun: number, outcome: Attributes, result: unknown): void {
    const attributes: Attributes = {
      'creditkit.operation.name': call.operation,
      ...creditTypeAttribute(call.creditTypeOf(result)),
      ...outcome,
    }
    measure().duration.record((performance.now() - begun) / 1000, attributes)
    if (span.isRecording()) {
      span.setAttributes(attributes)
      if (spanAttributes !== undefined) span.setAttributes(asked(spanAttributes, call))
      if (outcome['creditkit.outcome'] === 'failed') span.setStatus({ code: SpanStatusCode.ERROR })
    }
    span.end()
  }
}

interface Instruments {
  duration: Histogram
  granted: Counter
  spent: Counter
  removed: Counter
  refused: Counter
}

function toInstruments(provider: MeterProvider): Instruments {
  const meter = provider.getMeter(SCOPE)
  const credits = (name: string, description: string): Counter =>
    meter.createCounter(`creditkit.credits.${name}`, { unit: '{credit}', description })
  return {
    duration: meter.createHistogram('creditkit.operation.duration', {
      unit: 's',
      description: 'How long calls of the credit service took.',
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    }),
    granted: credits('granted', 'Credits that came to accounts: bought, given, refunded, received.'),
    spent: credits('spent', 'Credits that were used.'),
    removed: credits('removed', 'Credits that left accounts unused: expired, voided, taken back, given away.'),
    refused: credits('refused', 'Credits that were asked for and were not there.'),
  }
}

const OK: Attributes = { 'creditkit.outcome': 'ok' }

/**
 * `refused` is an answer: too few credits, an unknown id, a wrong input. `failed` is for somebody to look at: a database
 * that is not there, or an error of the host's own code inside of a call.
 */
function outcomeOf(error: unknown): Attributes {
  if (!isCreditError(error)) {
    return { 'creditkit.outcome': 'failed', 'error.type': error instanceof Error ? error.name : '_OTHER' }
  }
  const outcome = ERROR_CODES[error.code].httpStatus < 500 ? 'refused' : 'failed'
  return { 'creditkit.outcome': outcome, 'error.type': error.code }
}

function creditTypeAttribute(creditType: string | null): Attributes {
  return creditType === null ? {} : { 'creditkit.credit_type': creditType }
}

/** A repeat of a call that had happened before. */
function isReplayed(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'replayed' in result && result.replayed === true
}

/** An error of the host's while it names attributes is told to OpenTelemetry's own log: credits matter more. */
function asked(spanAttributes: NonNullable<OpenTelemetryOptions['spanAttributes']>, call: TelemetryCall): Attributes {
  try {
    return spanAttributes({ operation: call.operation, args: call.args })
  } catch (error) {
    diag.error('creditkit: spanAttributes threw', error)
    return {}
  }
}
