"""Every invariant of the guard, and what holds it: a proof over the policies, a test of the code around them, or both."""

from sre_agent.policy.prove.report import Holder

GUARD = "tests/policy/test_guard.py"
PROOFS = "tests/policy/test_proofs.py"
RULES = "tests/policy/test_bundle_loading.py"
DECIDE = "tests/approval/test_decide.py"
EXECUTOR = "tests/execution/test_executor.py"

HOLDERS = (
    Holder(
        "1",
        "What is allowed has class infra, was labelled infra, and the agent is not halted.",
        "P, H",
        ("tests/policy/test_class_gate.py::test_only_infra_labelled_infra_is_ever_allowed",),
    ),
    Holder(
        "2",
        "No model, prompt or configuration change in the covered 24 h lookback, and the action itself makes none.",
        "P, H",
        (
            "tests/facts/test_incident_facts.py::test_model_changes_before_the_onset",
            "tests/facts/test_incident_facts.py::test_the_lookback_is_covered_only_when_every_feed_was_really_read",
        ),
        "which changes lie outside the target's service is the collector's to say",
    ),
    Holder("3", "No conflicting evidence.", "P"),
    Holder("4", "Confidence is between 80 and 100 percent.", "P"),
    Holder("5", "At least two independent kinds of evidence.", "P"),
    Holder("6", "Only actions of the whitelist, each on its own kinds of target.", "P"),
    Holder(
        "7",
        "Nothing in a kube- namespace and nothing protected.",
        "P, H",
        (
            f"{PROOFS}::test_every_protected_name_is_a_fact_of_its_own",
            "tests/policy/test_declared_data.py::test_protection_covers_namespaces_objects_and_their_pods",
        ),
        "the names are declared data; the proof is over the fact that they make",
    ),
    Holder("8", "In production without approval: only restart_pod, touching at most 10 percent of the pods.", "P"),
    Holder("9", "Data-bearing actions take two approvals.", "P"),
    Holder("10", "redis_failover only on a declared dataset with a replica in sync.", "P"),
    Holder("11", "A stateful workload: only as the action's row says, with its approvals.", "P"),
    Holder("12", "Never during a freeze.", "P"),
    Holder("13", "Never on facts older than 120 s.", "P"),
    Holder(
        "14",
        "Never beyond a budget; what is in flight counts.",
        "P, H",
        ("tests/contract/test_ledger_contract.py::test_sixteen_racing_opens_never_overspend",),
    ),
    Holder("15", "Actions that take pods away keep the readiness floor.", "P"),
    Holder("16", "restart_pod touches one pod, or at most 25 percent of them.", "P"),
    Holder(
        "17",
        "scale_up never passes the ceiling.",
        "P, H",
        (f"{PROOFS}::test_what_a_collector_finds_missing_is_never_allowed",),
        "the step is bounded here; the ceiling that owners wrote reaches the policies as a name in facts.unmet: always empty",
    ),
    Holder("18", "The model's class is the class of the facts.", "P"),
    Holder(
        "19",
        "What a model says cannot widen anything.",
        "P, H",
        ("tests/policy/test_monotonicity.py::test_what_a_model_says_can_only_restrict",),
    ),
    Holder(
        "20",
        "One more approval never takes a permission away.",
        "P, H",
        ("tests/policy/test_monotonicity.py::test_one_more_approval_never_takes_a_permit_away",),
    ),
    Holder(
        "21",
        "More risk never turns a refusal into a permission.",
        "P, H",
        ("tests/policy/test_monotonicity.py::test_more_risk_never_costs_less",),
        "all facts at once, each in the direction of its row in prove/risk.py; no pod selected is not safer than one",
    ),
    Holder(
        "22",
        "No policy can raise an evaluation error within the bounds that pydantic enforces.",
        "P, H",
        (
            f"{PROOFS}::test_an_overflow_within_the_bounds_is_found",
            "tests/policy/test_policy_cases.py::test_the_schema_and_the_typed_facts_name_the_same_fields",
        ),
        "attributes and kinds are checked while translating",
    ),
    Holder(
        "23",
        "Nothing of this is empty: every action is possible at its approvals and at every edge, every policy matters.",
        "P",
    ),
    Holder(
        "24",
        "No permit reads claims; unique ids; reasons and outcomes present; no operator that cannot be proved.",
        "L",
        (
            f"{RULES}::test_a_careless_edit_of_a_policy_is_refused_with_file_and_line",
            f"{PROOFS}::test_what_the_prover_cannot_translate_cannot_be_loaded",
        ),
    ),
    Holder(
        "25", "Any fault of the engine is a denial.", "H", (f"{GUARD}::test_an_engine_that_misbehaves_is_refused_with_a_fault",)
    ),
    Holder(
        "26",
        "Two approvals by one person count once; who asked, is no member, is late or saw another plan counts for nothing.",
        "P, H",
        (f"{DECIDE}::test_one_person_through_two_doors_counts_once", f"{DECIDE}::test_a_yes_does_not_count_from"),
        "the proof says exactly who may approve; counting people is code",
    ),
    Holder(
        "27",
        "A verdict depends on request and bundle only.",
        "H",
        (
            f"{GUARD}::test_the_same_request_gives_the_same_decision_every_time",
            f"{RULES}::test_the_order_of_policy_files_changes_nothing_but_names",
            "tests/policy/test_monotonicity.py::test_the_order_of_names_in_a_fact_changes_nothing",
        ),
    ),
    Holder(
        "28",
        "A changed plan voids approvals, facts that turned bad stop the execution, a permit is used once.",
        "H",
        (
            f"{GUARD}::test_the_permit_is_sealed_and_bound_to_plan_facts_and_bundle",
            f"{GUARD}::test_facts_that_turned_bad_after_approval_stop_the_execution",
            f"{EXECUTOR}::test_a_permit_that_was_spent_on_one_plan_is_refused_for_another",
        ),
    ),
    Holder(
        "29",
        "Nothing is executed without a sealed permit.",
        "H",
        (
            f"{EXECUTOR}::test_a_permit_made_elsewhere_or_kept_too_long_opens_nothing",
            "tests/path/test_no_path_but_infra.py::test_nothing_is_executed_for_any_class_but_infra",
        ),
    ),
    Holder(
        "30",
        "hand_back wins over deny; every refusal names a policy or default-deny.",
        "H",
        (
            f"{PROOFS}::test_hand_back_wins_over_deny_and_every_refusal_names_somebody",
            "tests/policy/test_policy_cases.py::test_every_deciding_id_comes_with_a_reason_in_words",
        ),
    ),
    Holder(
        "31",
        "A new bundle is not wider than the old one unless somebody says so.",
        "P",
        (
            f"{PROOFS}::test_a_bundle_is_not_wider_than_itself",
            f"{PROOFS}::test_a_wider_bundle_is_shown_by_a_request_that_the_guard_confirms",
        ),
        "`sre-agent policy diff OLD NEW` asks z3",
    ),
)
"""In order, all 31."""
