import type { Attributes } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { memoryStore } from '../../adapters/memory/store.js'
import { openTelemetry, type OpenTelemetryOptions } from '../../adapters/opentelemetry.js'
import { CreditService, type CreditServiceOptions } from '../../src/index.js'

/** An SDK that keeps what it is told, and a service that tells it. */
export function observed(options: Partial<CreditServiceOptions> = {}, telling: OpenTelemetryOptions = {}) {
  const spans = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const credits = new CreditService({
    store: memoryStore(),
    cache: null,
    telemetry: openTelemetry({ tracerProvider, meterProvider, ...telling }),
    ...options,
  })
  return {
    credits,
    tracerProvider,
    meterProvider,
    tracer: tracerProvider.getTracer('host'),
    spans: () => spans.getFinishedSpans(),
    spanOf: (name: string) => spans.getFinishedSpans().find((span) => span.name === `creditkit.${name}`),
    /** The figures of one instrument, by their attributes. */
    figures: async (name: string): Promise<{ value: unknown; attributes: Attributes }[]> => {
      await reader.forceFlush()
      const scopes = metrics.getMetrics().at(-1)?.scopeMetrics ?? []
      const found = scopes.flatMap((scope) => scope.metrics).find(({ descriptor }) => descriptor.name === name)
      return (found?.dataPoints ?? []).map(({ value, attributes }) => ({ value, attributes }))
    },
  }
}
