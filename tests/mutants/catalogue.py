"""All deliberate bugs, in the order in which they are tried and shown."""

from tests.mutants.domains import DOMAINS
from tests.mutants.ledger import LEDGER
from tests.mutants.mutant import Mutant
from tests.mutants.storing import STORING

MUTANTS: tuple[Mutant, ...] = (*STORING, *LEDGER, *DOMAINS)
