import { type Answer, LedgerModel } from './history-model.js'
import { latestOf, type ModelledStep, type Rules } from './random-histories.js'

/** Plays histories on the slow model, and so says what should happen. */
export class Foresight {
  readonly model: LedgerModel

  constructor({ refundPolicy }: Rules) {
    this.model = new LedgerModel(refundPolicy)
  }

  /** Null: the step does not apply here. */
  play(step: ModelledStep, now: number): Answer | null {
    const { model } = this
    model.pass(now)
    switch (step.kind) {
      case 'add': {
        const { at, amount, startsIn, lasts, priority, transactionType, source } = step
        const startsAt = startsIn === null ? -Infinity : now + startsIn
        const endsAt = lasts === null ? Infinity : now + Math.max(0, startsIn ?? 0) + lasts
        const paid = (source ?? transactionType) === 'purchase' || source === 'subscription'
        return model.add(at, amount, { startsAt, endsAt, priority, paid })
      }
      case 'deduct':
        return model.deduct([{ account: step.at, amount: step.amount }], now)
      case 'deductMany':
        return model.deduct(
          step.items.map(({ at, amount }) => ({ account: at, amount })),
          now,
        )
      case 'spend':
        return model.deduct([{ account: step.at, amount: Math.ceil((2 * step.minutes) / 3) }], now)
      case 'refund':
        return when(latestOf(model.uses, step.use), (use) => model.refund(use, step.amount, now))
      case 'adjust':
        return model.adjust(step.at, step.amount, now)
      case 'hold':
        return model.hold(step.at, step.amount, now + step.lasts, now)
      case 'capture':
        return when(latestOf(model.holds, step.hold), (hold) => model.capture(hold, step, now))
      case 'release':
        return when(latestOf(model.holds, step.hold), (hold) => model.release(hold, now))
      case 'extend':
        return when(latestOf(model.holds, step.hold), (hold) => model.extend(hold, now + step.lasts))
      case 'void':
        return when(latestOf(model.lots, step.grant), (lot) => model.void(lot))
      case 'transfer':
        return model.transfer(step.from, 1 - step.from, step.amount, now)
      case 'runDue':
        return 'done'
      case 'wait':
        return null
    }
  }
}

function when<S>(subject: S | undefined, answer: (subject: S) => Answer): Answer | null {
  return subject === undefined ? null : answer(subject)
}
