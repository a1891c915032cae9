"""The catalogue: every rule, one row each. A rule is a module with `RULE` (what it is) and `check` (what it sees)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import RuleInfo
from ckpt_lint.rules.loading import (
    hard_coded_cuda_location,
    invalid_map_location,
    load_from_network,
    load_refused_by_weights_only,
    load_without_map_location,
    load_without_mmap,
    load_without_weights_only,
    pickle_load,
    unsafe_load,
    unverified_download,
    weights_only_fallback,
    whole_module_load,
)
from ckpt_lint.rules.restoring import (
    assign_after_optimizer,
    checkpoint_key_mismatch,
    checkpoint_layout_mismatch,
    collective_under_rank_guard,
    dcp_load_result,
    fragile_prefix_strip,
    inference_without_eval,
    load_state_dict_from_path,
    load_state_dict_result_as_module,
    missing_checkpoint_ignored,
    optimizer_restored_before_move,
    resume_repeats_epoch,
    rng_state_on_device,
    scheduler_built_between_restores,
    state_dict_changed_while_iterated,
    state_not_restored,
    swallowed_load_error,
    unplaced_restored_module,
    unreviewed_partial_load,
)
from ckpt_lint.rules.saving import (
    device_bound_save,
    legacy_serialization,
    live_module_cast,
    misnamed_format,
    non_atomic_save,
    parameters_saved,
    pickle_export,
    pickled_weights,
    refused_protocol,
    state_dict_not_called,
    state_dict_reference,
    unguarded_distributed_save,
    view_saved,
    weights_only_blocker,
    whole_module_save,
    wrapped_state_dict,
)
from ckpt_lint.rules.training_state import (
    best_or_latest_only,
    missing_best_metric,
    missing_ema_state,
    missing_optimizer_state,
    missing_progress,
    missing_rng_state,
    missing_scaler_state,
    missing_scheduler_state,
    missing_version_metadata,
    training_state_in_export,
    weights_only_resume,
)


class RuleModule(Protocol):
    """The shape of a rule's module."""

    RULE: RuleInfo

    def check(self, view: View) -> Iterator[Report]:
        """The rule's findings in one module."""
        ...


MODULES: tuple[RuleModule, ...] = (
    whole_module_save,  # type: ignore[assignment]
    state_dict_not_called,  # type: ignore[assignment]
    wrapped_state_dict,  # type: ignore[assignment]
    unguarded_distributed_save,  # type: ignore[assignment]
    non_atomic_save,  # type: ignore[assignment]
    state_dict_reference,  # type: ignore[assignment]
    device_bound_save,  # type: ignore[assignment]
    legacy_serialization,  # type: ignore[assignment]
    pickled_weights,  # type: ignore[assignment]
    weights_only_blocker,  # type: ignore[assignment]
    parameters_saved,  # type: ignore[assignment]
    view_saved,  # type: ignore[assignment]
    misnamed_format,  # type: ignore[assignment]
    refused_protocol,  # type: ignore[assignment]
    pickle_export,  # type: ignore[assignment]
    live_module_cast,  # type: ignore[assignment]
    missing_optimizer_state,  # type: ignore[assignment]
    missing_scheduler_state,  # type: ignore[assignment]
    missing_scaler_state,  # type: ignore[assignment]
    missing_progress,  # type: ignore[assignment]
    missing_rng_state,  # type: ignore[assignment]
    missing_version_metadata,  # type: ignore[assignment]
    missing_ema_state,  # type: ignore[assignment]
    best_or_latest_only,  # type: ignore[assignment]
    weights_only_resume,  # type: ignore[assignment]
    missing_best_metric,  # type: ignore[assignment]
    training_state_in_export,  # type: ignore[assignment]
    load_without_map_location,  # type: ignore[assignment]
    load_without_weights_only,  # type: ignore[assignment]
    unsafe_load,  # type: ignore[assignment]
    load_from_network,  # type: ignore[assignment]
    pickle_load,  # type: ignore[assignment]
    hard_coded_cuda_location,  # type: ignore[assignment]
    whole_module_load,  # type: ignore[assignment]
    unverified_download,  # type: ignore[assignment]
    load_without_mmap,  # type: ignore[assignment]
    invalid_map_location,  # type: ignore[assignment]
    load_refused_by_weights_only,  # type: ignore[assignment]
    weights_only_fallback,  # type: ignore[assignment]
    load_state_dict_result_as_module,  # type: ignore[assignment]
    load_state_dict_from_path,  # type: ignore[assignment]
    unreviewed_partial_load,  # type: ignore[assignment]
    fragile_prefix_strip,  # type: ignore[assignment]
    inference_without_eval,  # type: ignore[assignment]
    unplaced_restored_module,  # type: ignore[assignment]
    optimizer_restored_before_move,  # type: ignore[assignment]
    state_not_restored,  # type: ignore[assignment]
    checkpoint_key_mismatch,  # type: ignore[assignment]
    swallowed_load_error,  # type: ignore[assignment]
    missing_checkpoint_ignored,  # type: ignore[assignment]
    resume_repeats_epoch,  # type: ignore[assignment]
    collective_under_rank_guard,  # type: ignore[assignment]
    state_dict_changed_while_iterated,  # type: ignore[assignment]
    scheduler_built_between_restores,  # type: ignore[assignment]
    assign_after_optimizer,  # type: ignore[assignment]
    dcp_load_result,  # type: ignore[assignment]
    checkpoint_layout_mismatch,  # type: ignore[assignment]
    rng_state_on_device,  # type: ignore[assignment]
)
ALL: tuple[RuleInfo, ...] = tuple(module.RULE for module in MODULES)
