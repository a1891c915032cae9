"""What is to be expected of a planted fault beside the finding of its rule."""

from __future__ import annotations

import re

# What else a planted fault makes true of the same file.
IMPLIED: dict[str, frozenset[str]] = {
    "CKP101": frozenset({"CKP311", "CKP418", "CKP307", "CKP206"}),
    "CKP102": frozenset({"CKP311", "CKP418"}),
    "CKP103": frozenset({"CKP418"}),
    "CKP104": frozenset({"CKP413"}),
    "CKP109": frozenset({"CKP305"}),
    "CKP105": frozenset({"CKP208"}),
    "CKP110": frozenset({"CKP311"}),
    "CKP111": frozenset({"CKP208", "CKP311", "CKP418"}),
    "CKP113": frozenset({"CKP115", "CKP301", "CKP302", "CKP311"}),
    "CKP114": frozenset({"CKP311"}),
    "CKP115": frozenset({"CKP113", "CKP208"}),
    "CKP201": frozenset({"CKP209"}),
    "CKP208": frozenset({"CKP115"}),
    "CKP209": frozenset({"CKP103"}),
    "CKP211": frozenset({"CKP105", "CKP115", "CKP208"}),
    "CKP302": frozenset({"CKP309"}),
    "CKP304": frozenset({"CKP308"}),
    "CKP307": frozenset({"CKP302", "CKP309"}),
    "CKP311": frozenset({"CKP110"}),
    "CKP312": frozenset({"CKP209", "CKP301", "CKP309", "CKP403", "CKP404"}),
    "CKP413": frozenset({"CKP301", "CKP302", "CKP311"}),
    "CKP416": frozenset({"CKP309"}),
    "CKP402": frozenset({"CKP403"}),
    "CKP404": frozenset({"CKP403"}),
    "CKP419": frozenset({"CKP306", "CKP403", "CKP409"}),
}
# Faults of what is written: they change what is found where it is read, and are planted alone in a project.
WRITTEN = frozenset({"CKP101", "CKP102", "CKP109", "CKP110", "CKP111", "CKP113", "CKP114", "CKP311"})
# Of one argument only the strongest rule speaks: where one of these does, the fault is not this rule's.
STRONGER: dict[str, frozenset[str]] = {
    "CKP301": frozenset({"CKP306", "CKP310"}),
    "CKP302": frozenset({"CKP303", "CKP304", "CKP307", "CKP311", "CKP312"}),
    "CKP303": frozenset({"CKP304", "CKP312"}),
    "CKP307": frozenset({"CKP303", "CKP304", "CKP311", "CKP312"}),
    "CKP311": frozenset({"CKP303", "CKP304", "CKP312"}),
    "CKP103": frozenset({"CKP101"}),
    "CKP107": frozenset({"CKP101", "CKP103"}),
    "CKP110": frozenset({"CKP101"}),
}
# The rules that are on in tests: elsewhere a fault in a test is none.
IN_TESTS = frozenset({"CKP102", "CKP106", "CKP304", "CKP401", "CKP402"})
TESTS = re.compile(r"(?:^|/)tests/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
# Faults that the rule's own fix takes back to the letter; of others it takes the hazard away in another way.
REVERSIBLE = frozenset({"CKP102", "CKP106", "CKP114", "CKP401"})
