/** What a check may cost. Schemas come from servers and values from callers: neither may keep us busy. */
export class Fuel {
  #left: number

  constructor(steps: number) {
    this.#left = steps
  }

  /** Throws {@link OutOfFuel}. */
  burn(steps = 1): void {
    this.#left -= steps
    if (this.#left < 0) throw new OutOfFuel()
  }
}

export class OutOfFuel extends Error {
  override readonly name = 'OutOfFuel'

  constructor() {
    super('The check takes too long')
  }
}
