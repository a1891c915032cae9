"""The catalogue: every rule, one row each. A rule is a module with `RULE` (what it is) and `check` (what it sees)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ckpt_lint.facts.view import Report, View
from ckpt_lint.model import RuleInfo
from ckpt_lint.rules.files import (
    damaged_checkpoint,
    foreign_code_in_checkpoint,
    non_finite_weights,
    not_a_checkpoint,
    partial_training_state,
)
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
from ckpt_lint.rules.tool import unused_suppression
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
    whole_module_save,
    state_dict_not_called,
    wrapped_state_dict,
    unguarded_distributed_save,
    non_atomic_save,
    state_dict_reference,
    device_bound_save,
    legacy_serialization,
    pickled_weights,
    weights_only_blocker,
    parameters_saved,
    view_saved,
    misnamed_format,
    refused_protocol,
    pickle_export,
    live_module_cast,
    missing_optimizer_state,
    missing_scheduler_state,
    missing_scaler_state,
    missing_progress,
    missing_rng_state,
    missing_version_metadata,
    missing_ema_state,
    best_or_latest_only,
    weights_only_resume,
    missing_best_metric,
    training_state_in_export,
    load_without_map_location,
    load_without_weights_only,
    unsafe_load,
    load_from_network,
    pickle_load,
    hard_coded_cuda_location,
    whole_module_load,
    unverified_download,
    load_without_mmap,
    invalid_map_location,
    load_refused_by_weights_only,
    weights_only_fallback,
    load_state_dict_result_as_module,
    load_state_dict_from_path,
    unreviewed_partial_load,
    fragile_prefix_strip,
    inference_without_eval,
    unplaced_restored_module,
    optimizer_restored_before_move,
    state_not_restored,
    checkpoint_key_mismatch,
    swallowed_load_error,
    missing_checkpoint_ignored,
    resume_repeats_epoch,
    collective_under_rank_guard,
    state_dict_changed_while_iterated,
    scheduler_built_between_restores,
    assign_after_optimizer,
    dcp_load_result,
    checkpoint_layout_mismatch,
    rng_state_on_device,
    foreign_code_in_checkpoint,
    damaged_checkpoint,
    not_a_checkpoint,
    non_finite_weights,
    partial_training_state,
    unused_suppression,
)
ALL: tuple[RuleInfo, ...] = tuple(module.RULE for module in MODULES)
