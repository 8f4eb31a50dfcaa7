// What docs/guides/recipes/front-end.ts says of the API holds of the types that were generated as api.d.ts.
import type { components } from "./api.js";
import type * as page from "./front-end.js";

type Schemas = components["schemas"];
type Calls = page.Bursar;
/** The body that a method takes. */
type Body<Method extends keyof Calls> = Calls[Method] extends (body: infer First, ...rest: never[]) => unknown ? First : never;
type Is<Narrow extends Wide, Wide> = Narrow;

export type Answers = [
  Is<Schemas["ConfigView"], page.Config>,
  Is<Schemas["PlanView"], page.Plan>,
  Is<Schemas["SubscriptionView"], page.Subscription>,
  Is<Schemas["ChangePreview"], page.ChangePreview>,
  Is<Schemas["BalanceView"], page.Balance>,
  Is<Schemas["MovementView"], page.Movement>,
  Is<Schemas["PaymentView"], page.Payment>,
  Is<Schemas["SlotPurchaseView"], page.Payment>,
  Is<Schemas["TopUpView"], page.TopUp>,
  Is<Schemas["UsageSummary"], page.Usage>,
  Is<Schemas["CreatorEarningsView"], page.Earnings>,
  Is<Schemas["ProjectView"], page.Project>,
  Is<Schemas["LimitsView"], page.Limits>,
  Is<Schemas["Problem"], Partial<page.Problem>>,
];

/** Members of bodies that the API does not know, and so would refuse. */
export type Unknown = [
  Exclude<keyof Body<"subscribe">, keyof Schemas["SubscriptionCreate"]>,
  Exclude<keyof Body<"changePlan">, keyof Schemas["SubscriptionChange"]>,
  Exclude<keyof Body<"createProject">, keyof Schemas["ProjectCreate"]>,
  Exclude<page.PayBy extends infer Way ? (Way extends unknown ? keyof Way : never) : never, keyof Schemas["TopUp"]>,
];
export const none: Unknown extends never[] ? true : false = true;

// @ts-expect-error: an amount is no number.
export const wrong: Is<page.Amount, number> = 1;
