import { describe, expect, it } from 'vitest'
import { type CallQuestionsOptions, callQuestions } from '../../../src/cli/call-questions.js'
import type { ConfigInput } from '../../../src/config/inputs.js'

const FORM = {
  type: 'object',
  properties: {
    name: { type: 'string', title: 'Your name', minLength: 2 },
    age: { type: 'integer', minimum: 18, description: 'In years' },
    colour: {
      type: 'string',
      oneOf: [
        { const: 'r', title: 'Red' },
        { const: 'g', title: 'Green' },
      ],
      default: 'r',
    },
    sizes: { type: 'array', items: { type: 'string', enum: ['S', 'M', 'L'] } },
    sure: { type: 'boolean' },
  },
  required: ['name', 'sure'],
}

/** Answers one question after the other; what it was asked, and what was said. */
function person(
  typed: readonly (string | undefined)[] | undefined,
  given: Partial<CallQuestionsOptions> = {},
) {
  const asked: ConfigInput[] = []
  const said: string[] = []
  const opened: string[] = []
  const answers = [...(typed ?? [])]
  const questions = callQuestions({
    server: () => 'the server',
    answers: [],
    roots: [],
    ask:
      typed === undefined
        ? undefined
        : async input => {
            asked.push(input)
            return answers.shift() || input.fallback
          },
    open: async address => opened.push(address.href) > 0,
    say: line => said.push(line),
    ...given,
  })
  const elicit = (params: object) =>
    questions.elicitation?.(params as never, new AbortController().signal) as Promise<unknown>
  const form = (schema: object = FORM) => elicit({ message: 'Who\u001b[2J?', requestedSchema: schema })
  return { questions, elicit, form, asked, said, opened }
}

describe('a form', () => {
  it('is filled in on the terminal, a field after the other, once the person agrees', async () => {
    const { form, asked, said } = person(['accept', 'Jo', '40', 'Green', 'S, L', 'true'])
    expect(await form()).toEqual({
      action: 'accept',
      content: { name: 'Jo', age: 40, colour: 'g', sizes: ['S', 'L'], sure: true },
    })
    expect(said).toEqual(['the server asks: Who\\u001b[2J?'])
    expect(asked.map(({ description }) => description.trim())).toEqual([
      'Answer it?',
      'Your name',
      'age: In years',
      'colour',
      'sizes',
      'sure',
    ])
    expect(asked[3]).toMatchObject({ choices: ['Red', 'Green'], fallback: 'r' })
    expect(asked[4]?.choices).toEqual(['S', 'M', 'L', 'separated by commas', 'may be left empty'])
  })

  it('asks again for what does not fit, takes defaults, and leaves out what may be empty', async () => {
    const { form, said } = person(['y', 'J', 'Jo', 'ten', '10', '', undefined, '', 'yes', 'false'])
    expect(await form()).toEqual({ action: 'accept', content: { name: 'Jo', colour: 'r', sure: false } })
    expect(said.slice(1)).toEqual([
      'name: that does not fit',
      'age: "ten" is not a whole number',
      'age: that does not fit',
      'sure: "yes" is not true or false',
    ])
  })

  it.each([
    ['decline', 'decline'],
    ['n', 'decline'],
    ['c', 'cancel'],
  ])('is left alone after %s', async (typed, action) => {
    const { form, asked } = person([typed])
    expect(await form()).toEqual({ action })
    expect(asked).toHaveLength(1)
  })

  it('is cancelled where a field that is required gets no answer that fits', async () => {
    expect(await person(['accept', 'J', 'K', 'L']).form()).toEqual({ action: 'cancel' })
  })

  it('is answered beforehand, and what is missing is asked for', async () => {
    const answers = ['name=Jo', 'sure=true', 'sizes=S', 'sizes=M', 'other=1']
    const { form, asked } = person([], { answers })
    expect(await form()).toEqual({ action: 'accept', content: { name: 'Jo', sure: true, sizes: ['S', 'M'] } })
    expect(asked).toEqual([])
    const { form: rest } = person(['accept', '', '', '', 'true'], { answers: ['name=Jo'] })
    expect(await rest()).toEqual({ action: 'accept', content: { name: 'Jo', colour: 'r', sure: true } })
  })

  it('is not sent answers of the command line that do not fit', async () => {
    const answers = ['name=Jo', 'sure=perhaps', 'age=10', 'colour=r', 'colour=g']
    const { form, said } = person(undefined, { answers })
    expect(await form()).toEqual({ action: 'decline' })
    expect(said.slice(1)).toEqual([
      '--answer age: that does not fit',
      '--answer colour is given twice',
      '--answer sure: "perhaps" is not true or false',
      'Declined: nobody is there to answer',
    ])
    const { form: mended } = person(['accept', '40', 'g', '', 'true'], { answers })
    expect(await mended()).toEqual({
      action: 'accept',
      content: { name: 'Jo', age: 40, colour: 'g', sure: true },
    })
  })

  it('is declined where nobody is there, and says how to answer', async () => {
    const { form, said } = person(undefined, { answers: ['name=Jo'] })
    expect(await form()).toEqual({ action: 'decline' })
    expect(said[1]).toBe('Declined: nobody is there to answer; --answer sure=... answers')
  })

  it('without fields needs a yes', async () => {
    const { form, said } = person(undefined)
    expect(await form({ type: 'object', properties: {} })).toEqual({ action: 'decline' })
    expect(said[1]).toBe('Declined: nobody is there to answer; --answer accept agrees')
    const agreed = person(undefined, { answers: ['accept'] })
    expect(await agreed.form({ type: 'object', properties: {} })).toEqual({ action: 'accept', content: {} })
    expect(await person(undefined, { answers: ['cancel', 'name=Jo'] }).form()).toEqual({ action: 'cancel' })
    // To agree is not to answer.
    expect(await agreed.form()).toEqual({ action: 'decline' })
  })
})

describe('an address', () => {
  const visit = (url: string) => ({ mode: 'url', message: 'Sign', url })

  it('is shown with its host, and opened after a yes only', async () => {
    const { elicit, said, opened, asked } = person(['accept'])
    expect(await elicit(visit('https://pay.example/x?y=1'))).toEqual({ action: 'accept' })
    expect(said[1]).toBe('It wants a page visited at pay.example: https://pay.example/x?y=1')
    expect(asked[0]?.description).toBe('Open it?')
    expect(opened).toEqual(['https://pay.example/x?y=1'])
    const declined = person(['decline'])
    expect(await declined.elicit(visit('https://pay.example/'))).toEqual({ action: 'decline' })
    expect(declined.opened).toEqual([])
  })

  it('is never opened where nobody is there', async () => {
    const { elicit, opened } = person(undefined)
    expect(await elicit(visit('https://pay.example/'))).toEqual({ action: 'decline' })
    const agreed = person(undefined, { answers: ['accept'] })
    expect(await agreed.elicit(visit('https://pay.example/'))).toEqual({ action: 'accept' })
    expect([...opened, ...agreed.opened]).toEqual([])
  })

  it.each(['file:///etc/passwd', 'javascript:alert(1)', 'nothing'])('is declined if it is %s', async url => {
    const { elicit, asked } = person(['accept'])
    expect(await elicit(visit(url))).toEqual({ action: 'decline' })
    expect(asked).toEqual([])
  })
})

it('folders are told as addresses, and only where there are some', async () => {
  const { questions } = person(undefined, { roots: ['/a b/c'] })
  expect(await questions.roots?.()).toEqual([{ uri: 'file:///a%20b/c', name: 'c' }])
  expect(person(undefined).questions.roots).toBeUndefined()
})
