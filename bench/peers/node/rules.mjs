// The programme's rules as far as a home screen shows them, reckoned from rows: the same for both
// variants. What is simplified: nothing lapses unbooked, no spend leaves the tier's window and no
// hold expires, which is so of all seeded members; one event of the statement spans few lots.

const DAY_MS = 86_400_000;
const DAY_US = DAY_MS * 1000;
const NEVER_US = 9e18;

export function nowUs() {
  return Date.now() * 1000;
}

export function shownInstant(us) {
  const text = new Date(Math.floor(us / 1e6) * 1000).toISOString().slice(0, 19);
  const micros = us % 1e6;
  return micros ? `${text}.${String(micros).padStart(6, "0")}Z` : `${text}Z`;
}

// ---------------------------------------------------------------- the programme's calendar

export class Calendar {
  constructor(config) {
    this.format = new Intl.DateTimeFormat("en-US", {
      timeZone: config.timeZone, hourCycle: "h23", year: "numeric", month: "numeric",
      day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    this.challenges = config.challenges;
    this.starts = new Map();
    this.minute = -1;
  }

  // Everything that follows from today, reckoned once a minute.
  present() {
    const minute = Math.floor(Date.now() / 60_000);
    if (minute !== this.minute) {
      this.minute = minute;
      this.today = this.reckoned(this.localDay(Date.now()));
    }
    return this.today;
  }

  reckoned(day) {
    const date = new Date(day * DAY_MS);
    const periods = {};
    for (const one of this.challenges) {
      const start = one.period === "CALENDAR_WEEK" ? day - ((day + 3) % 7) : day - date.getUTCDate() + 1;
      const after = new Date((start + 31) * DAY_MS);
      const next = one.period === "CALENDAR_WEEK" ? start + 7 : start + 32 - after.getUTCDate();
      const before = one.period === "CALENDAR_WEEK" ? start - 7 : start - 1 - new Date((start - 1) * DAY_MS).getUTCDate() + 1;
      periods[one.key] = {
        start, before, startsAt: shownInstant(this.startOfDay(start)), endsAt: shownInstant(this.startOfDay(next)),
      };
    }
    const all = Object.values(periods);
    return {
      day, periods,
      month: date.getUTCFullYear() * 100 + date.getUTCMonth() + 1,
      starts: [...new Set(all.map((one) => one.start))],
      runsSince: Math.min(...all.map((one) => one.before)),
    };
  }

  wallClock(ms) {
    const parts = {};
    for (const part of this.format.formatToParts(ms)) parts[part.type] = Number(part.value);
    return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
  }

  localDay(ms) {
    return Math.floor(this.wallClock(ms) / DAY_MS);
  }

  startOfDay(day) {
    let ms = day * DAY_MS;
    for (let turn = 0; turn < 2; turn += 1) ms += day * DAY_MS - this.wallClock(ms);
    return ms * 1000;
  }
}

// ---------------------------------------------------------------- what is shown

export class Shown {
  constructor(config) {
    this.config = config;
    this.calendar = new Calendar(config);
  }

  money(minor) {
    return { amount: (minor / 100).toFixed(2), currencyCode: this.config.currency };
  }

  card(row) {
    return { number: row.number, status: row.status.toUpperCase(), issuedAt: shownInstant(Number(row.issuedAt)) };
  }

  // `lots` are [remaining, available at, expires at] with something left.
  holding(lots, owed) {
    const now = nowUs();
    let available = -owed;
    let pending = 0;
    const expiring = new Map();
    for (const [left, from, until] of lots) {
      if (until <= now) continue;
      if (from <= now) available += left;
      else pending += left;
      if (until < NEVER_US) expiring.set(until, (expiring.get(until) ?? 0) + left);
    }
    return { available, pending, expiring };
  }

  points(account, lots) {
    const { available, pending, expiring } = this.holding(lots, Number(account.owed));
    return {
      available, pending, lots: expiring,
      held: Number(account.held), owed: Number(account.owed),
      lifetimeEarned: Number(account.granted), lifetimeRedeemed: Number(account.redeemed),
      lifetimeExpired: Number(account.expired),
    };
  }

  // What expires until then, the first first; reckoned only where it is asked for.
  expiries(points, until) {
    return [...points.lots].filter(([at]) => at <= until).sort((a, b) => a[0] - b[0])
      .map(([at, amount]) => ({ points: amount, expiresAt: shownInstant(at) }));
  }

  nextExpiry(points) {
    const first = Math.min(...points.lots.keys());
    return this.expiries(points, first)[0] ?? null;
  }

  expiring(points, withinDays) {
    return this.expiries(points, nowUs() + withinDays * DAY_US);
  }

  tier(row) {
    const { levels } = this.config;
    const spent = Number(row.spent);
    const place = levels.findIndex((level) => level.name === row.level);
    const next = levels.find((level) => level.min > spent);
    return {
      name: row.level, rank: place + 1, multiplierPercent: levels[place].multiplierPercent,
      since: shownInstant(Number(row.since)), changes: row.changes, qualifyingSpend: this.money(spent),
      next: next === undefined ? null : {
        name: next.name, progressPercent: Math.floor((spent * 100) / next.min),
        minSpend: this.money(next.min), amountMissing: this.money(next.min - spent),
      },
    };
  }

  cashback(account, lots, monthAccrued) {
    const { available, pending } = this.holding(lots, Number(account.owed));
    return {
      available: this.money(available), pending: this.money(pending),
      held: this.money(Number(account.held)), lifetimeAccrued: this.money(Number(account.granted)),
      monthAccrued: this.money(Number(monthAccrued ?? 0)), monthCap: this.money(this.config.monthCap),
    };
  }

  // Rows: [challenge, period start, progress, completed at], [challenge, completions, streaks] and
  // [challenge, first period, last period].
  challenges(progress, totals, runs) {
    const today = this.calendar.present();
    return this.config.challenges.map((one) => {
      const period = today.periods[one.key];
      const own = progress.find((row) => row[0] === one.key && row[1] === period.start);
      const total = totals.find((row) => row[0] === one.key);
      const counted = own === undefined ? 0 : Number(own[2]);
      const completed = own === undefined || own[3] === null ? null : shownInstant(Number(own[3]));
      return {
        key: one.key, title: one.title, metric: one.metric, period: one.period,
        progress: counted, target: one.target,
        progressPercent: completed === null ? Math.min(100, Math.floor((counted * 100) / one.target)) : 100,
        rewardPoints: one.rewardPoints, periodStart: period.startsAt, periodEnd: period.endsAt,
        completedAt: completed, completions: total === undefined ? 0 : total[1],
        streak: one.streak === null ? null : {
          current: this.streak(one, period, runs), target: one.streak.periods,
          rewardPoints: one.streak.rewardPoints, completions: total === undefined ? 0 : total[2],
        },
      };
    });
  }

  streak(one, period, runs) {
    const run = runs.find((row) => row[0] === one.key && (row[2] === period.start || row[2] === period.before));
    return run === undefined ? 0 : ((run[2] - run[1]) / 7 + 1) % one.streak.periods;
  }

  // Rows, the newest first: [sequence, effect, balance after, reference, occurred at, reason, rule].
  activity(rows, first) {
    const events = [];
    for (const [sequence, effect, balanceAfter, reference, occurredAt, reason, rule] of rows) {
      const newer = events.at(-1);
      if (newer !== undefined && newer.points < 0 === effect < 0 && !this.config.grants.includes(newer.reason)
        && newer.reason === reason && newer.reference === reference && newer.at === occurredAt) {
        newer.points += effect;
        newer.sequence = sequence;
        continue;
      }
      if (events.length > first) break;
      const title = this.config.titles[`${reason}:${rule}`] ?? this.config.titles[reason];
      events.push({
        kind: reason.toUpperCase(), title, points: effect, balanceAfter,
        occurredAt: shownInstant(Number(occurredAt)), at: occurredAt, sequence, reference, reason,
      });
    }
    const nodes = events.slice(0, first);
    const last = nodes.at(-1);
    return {
      nodes,
      pageInfo: {
        hasNextPage: events.length > first,
        endCursor: last === undefined ? null : cursor(last.sequence),
      },
    };
  }
}

function cursor(sequence) {
  return Buffer.from(`after:${sequence}`).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

// What a purchase earns by the plainest rule: ten points for each whole unit of money.
export function pointsOf(purchase) {
  const minor = purchase.lines.reduce((sum, line) => sum + line.salesMinor, 0);
  return Math.floor(minor / 100) * 10;
}
