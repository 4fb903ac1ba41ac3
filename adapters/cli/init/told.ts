import type { Told } from '../commands/init.js'
import type { Plan } from './plan.js'

/** What was written, what to paste into files that were there, and what to do next. */
export function initText(plan: Plan, { written, left, changed, install }: Told): string {
  const unchanged = left.filter((path) => !changed.includes(path))
  return [
    written.length === 0 ? '' : `Wrote:\n${written.map((path) => `  ${path}\n`).join('')}`,
    unchanged.length === 0 ? '' : `Is there already, as we would write it: ${unchanged.join(', ')}\n`,
    ...changed.map((path) => pasteText(path, plan)),
    `\nNext:\n${stepsOf(plan, install)
      .map((step, index) => `  ${index + 1}. ${step}\n`)
      .join('')}`,
  ].join('')
}

function pasteText(path: string, { pastes, files }: Plan): string {
  const part = pastes[path]
  const text = (part ?? files[path] ?? '').replaceAll(/^(?=.)/gm, '    ')
  const what = part === undefined ? 'It should hold what this does' : 'Add to it'
  return `\n${path} is there already, and was left as it is. ${what}:\n\n${text}`
}

function stepsOf(plan: Plan, install: Told['install']): string[] {
  const caller = Object.keys(plan.files).find((path) => path.includes('credits-caller')) ?? ''
  return [
    ...install.map((line) => line.join(' ')),
    ...plan.steps,
    `${plan.devCommand}   (beside a local Stripe: no account, no key, no money)`,
    `Say in ${caller} who is calling. Until then nobody is let in, but in development.`,
    `In production: the variables of .env.example, then ${plan.startCommand}`,
  ]
}
