import type { EmbeddingModel, LanguageModel, LanguageModelMiddleware } from 'ai'

/*
 * The SDK's types, from whichever version the host has: of a package that it depends on, so that nothing else need be
 * installed. They are all that is imported of it.
 */

/** A model, and not the name of one. */
export type LanguageModelObject = Exclude<LanguageModel, string>

/** An embedding model, and not the name of one: what a provider package makes. */
export type EmbeddingModelObject = Exclude<EmbeddingModel, string>

export type WrapGenerate = NonNullable<LanguageModelMiddleware['wrapGenerate']>
export type WrapStream = NonNullable<LanguageModelMiddleware['wrapStream']>

export type CallParams = Parameters<WrapStream>[0]['params']
export type MiddlewareModel = Parameters<WrapStream>[0]['model']
export type GenerateResult = Awaited<ReturnType<WrapGenerate>>
export type StreamResult = Awaited<ReturnType<WrapStream>>
export type StreamPart = StreamResult['stream'] extends ReadableStream<infer Part> ? Part : never
