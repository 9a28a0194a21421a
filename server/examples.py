"""The operations that GraphiQL opens with: for a member's app, for tills and for staff."""

from server.edge.graphiql import Example

SIGN_IN_MUTATION = """
mutation SignIn($input: SignInInput!) {
  signIn(input: $input) {
    __typename
    ... on Session { accessToken accessTokenExpiresAt refreshToken }
    ... on Problem { code message }
  }
}
"""

HOME_SCREEN = """# An app's home screen, in one round trip.
query HomeScreen {
  me {
    name
    points {
      available
      pending
      expiring(withinDays: 150) { points expiresAt }
    }
    tier {
      name
      next {
        name
        amountMissing { amount currencyCode }
        progressPercent
      }
    }
    cashback {
      available { amount currencyCode }
      pending { amount currencyCode }
    }
    challenges {
      title
      progress
      target
      progressPercent
      rewardPoints
      periodEnd
      completedAt
    }
    card { number status }
    activity(first: 5) {
      nodes { title points balanceAfter occurredAt }
    }
  }
}
"""

REDEEM = """# Exchange points for a voucher.
mutation RedeemPoints($input: RedeemPointsInput!) {
  redeemPoints(input: $input) {
    __typename
    ... on PointsRedeemed {
      voucher { code value { amount currencyCode } }
      pointsAvailableAfter
    }
    ... on InsufficientPoints { available required shortBy }
    ... on Problem { code message }
  }
}
"""

CARD = """# The digital card, for the till's scanner.
query CardBarcodes {
  me {
    card {
      number
      maskedNumber
      status
      qr: barcode(symbology: QR) { svg }
      code128: barcode(symbology: CODE_128) { svg }
      aztec: barcode(symbology: AZTEC) { svg }
    }
  }
}
"""

RECORD = """# A till's purchase, and what it earned by rule.
mutation RecordPurchase($input: RecordPurchaseInput!) {
  recordPurchase(input: $input) {
    __typename
    ... on RecordedPurchase {
      points
      earned { rule points challenge availableAt }
      cashback {
        accrued { amount currencyCode }
        cutByCap { amount }
        availableAt
      }
      tierBefore
      tierAfter
    }
    ... on InvalidInput { path value accepted }
    ... on Problem { code message }
  }
}
"""

FIND = """# A till finds a member by card or by its own id.
query FindMember($by: MemberReference!) {
  member(by: $by) {
    name
    tier { name }
    points { available }
    card { status }
  }
}
"""

REPORT = """# What the programme has done, month by month.
query ProgrammeMonths {
  insights {
    months {
      month
      newMembers
      activeMembers
      purchases
      pointsEarned
      pointsRedeemed
      liabilityMinor
      membersByTier { tier members }
    }
  }
}
"""

MEMBERS = """# The members, with what they hold.
query Members {
  members(first: 10) {
    nodes {
      externalId name
      points { available pending lifetimeEarned }
      tier { name changes }
      cashback { available { amount currencyCode } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

TERMS = """# The terms of the programme, for everyone.
query Terms {
  programme {
    version currencyCode timeZone
    tiers { name minSpend { amount } multiplierPercent }
    cashback { rateBasisPoints monthlyCap { amount } departments }
  }
}
"""

EXAMPLES = (
    Example(slug="home", title="Home screen", audience="member", query=HOME_SCREEN),
    Example(
        slug="redeem",
        title="Redeem points",
        audience="member",
        query=REDEEM,
        variables={"input": {"idempotencyKey": "$newKey", "points": 1000}},
    ),
    Example(
        slug="card", title="Card barcodes", audience="member", query=CARD, opens_at_start=False
    ),
    Example(
        slug="purchase",
        title="Record a purchase",
        audience="till",
        query=RECORD,
        variables={
            "input": {
                "idempotencyKey": "$newKey",
                "purchase": {
                    "externalId": "$newKey",
                    "member": {"externalId": "sample-1"},
                    "occurredAt": "$now",
                    "storeId": "1",
                    "currencyCode": "USD",
                    "lines": [
                        {
                            "productId": "102",
                            "department": "PRODUCE",
                            "quantity": 2,
                            "salesMinor": 598,
                        },
                        {
                            "productId": "104",
                            "department": "MEAT",
                            "quantity": 1,
                            "salesMinor": 1249,
                            "couponMinor": 100,
                        },
                    ],
                },
            }
        },
    ),
    Example(
        slug="find",
        title="Find a member",
        audience="till",
        query=FIND,
        variables={"by": {"externalId": "sample-1"}},
        opens_at_start=False,
    ),
    Example(slug="months", title="Months", audience="staff", query=REPORT),
    Example(slug="members", title="Members", audience="staff", query=MEMBERS, opens_at_start=False),
    Example(slug="terms", title="Terms", audience="staff", query=TERMS, opens_at_start=False),
)
