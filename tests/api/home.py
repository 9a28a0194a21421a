"""The home screen: everything that a member's phone asks for at once."""

from server.clock import Instant
from tests.api.calling import Api, Caller, Json

HOME = """
query HomeScreen {
  me {
    externalId
    points {
      available pending lifetimeEarned lifetimeRedeemed lifetimeExpired
      nextExpiry { points expiresAt }
      expiring(withinDays: 365) { points expiresAt }
    }
    tier {
      name rank multiplierPercent since changes
      qualifyingSpend { amount currencyCode }
      next {
        name progressPercent
        minSpend { amount currencyCode } amountMissing { amount currencyCode }
      }
    }
    eligibleSpend { amount currencyCode }
    cashback {
      available { amount } pending { amount } lifetimeAccrued { amount }
      lifetimeCapped { amount } monthAccrued { amount } monthCap { amount }
    }
    challenges {
      key title metric period progress target progressPercent rewardPoints
      periodStart periodEnd completedAt completions
      streak { current target rewardPoints completions }
    }
    card { status maskedNumber }
    vouchersIssued
    activity(first: 3) { nodes { kind title points balanceAfter occurredAt } }
  }
}
"""


async def home(api: Api, caller: Caller, at: Instant, document: str = HOME) -> Json:
    data = await api.data(document, caller=caller, at=at)
    me: Json = data["me"]
    return me
