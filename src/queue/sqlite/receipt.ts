/** A row and the token of the claim that handed it out: whoever shows both may settle while the lease holds. */
export class Receipt {
  constructor(
    readonly rowId: number,
    readonly token: number,
    readonly groupId: number,
    readonly key: string | null,
  ) {}
}
