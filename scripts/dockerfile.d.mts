export interface Instruction {
  readonly instruction: string
  readonly value: string
}
export function instructionsOf(text: string): readonly Instruction[]
export function stagesOf(text: string): readonly (readonly Instruction[])[]
export function finalStage(text: string): readonly Instruction[]
