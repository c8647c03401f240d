# One plugin for each check of `grapnel plugin validate`, which fails it alone: static.exports is
# static_exports.c. tests/program/validate_test.cpp runs them all. Here a check is one line; the top of good.h
# says how its file is written.

foreach(name IN ITEMS
    load_library load_process_state load_create load_instance load_init load_hooks load_destroy
    behaviour_training behaviour_statuses behaviour_reasons behaviour_pending behaviour_two_instances
    behaviour_many_creations behaviour_hooks behaviour_process_state behaviour_floating_point
    behaviour_undeclared_extensions behaviour_exception behaviour_interruption behaviour_evaluations
    behaviour_empty_training
    leaks_memory leaks_threads leaks_descriptors leaks_files
    exit_destructors exit_output exit_signal_handlers exit_threads exit_children
    hosts_older hosts_grown hosts_extension_tables hosts_unknown_extension hosts_library_extension)
  grapnel_add_hostile(checks/${name}.c)
endforeach()

# They state the extensions that they use.
foreach(name IN ITEMS
    table save key round_trip truncated failed_load random_values other_types older_version empty)
  grapnel_add_hostile(checks/state_${name}.c)
endforeach()
set(metrics "\"grapnel.metrics/1\"")
foreach(name IN ITEMS contract repeatable unused_extensions services_fail services_unsupported
    services_find_nothing services_not_now)
  grapnel_add_hostile(checks/behaviour_${name}.c REQUIRES ${metrics})
endforeach()
grapnel_add_hostile(checks/behaviour_accumulation.c REQUIRES "\"grapnel.trainer/1\"")
grapnel_add_hostile(checks/behaviour_custom_events.c)
grapnel_add_hostile(checks/behaviour_no_optional_extension.c OPTIONAL ${metrics})
grapnel_add_hostile(checks/behaviour_odd_losses.c REQUIRES "\"grapnel.outputs/1\"")
grapnel_add_hostile(checks/behaviour_operators.c REQUIRES "\"grapnel.aten/1\"")
grapnel_add_hostile(checks/leaks_handles.c REQUIRES "\"grapnel.module/1\"")
grapnel_add_hostile(checks/leaks_leases.c REQUIRES "\"grapnel.module/1\"")
grapnel_add_hostile(checks/leaks_writes.c REQUIRES "\"grapnel.module/1\", \"grapnel.tensors/1\"")

# Parameters
set(number [=[, "parameters": {"number": {"type": "integer", "default": 5, "minimum": 1, "maximum": 9,
      "doc": "How many."}}]=])
foreach(name IN ITEMS smallest largest)
  grapnel_add_hostile(checks/behaviour_parameters_${name}.c REQUIRES "\"grapnel.params/1\"" CALLBACK ${number})
endforeach()
grapnel_add_hostile(checks/behaviour_parameters_null.c REQUIRES "\"grapnel.params/1\""
  CALLBACK [=[, "parameters": {"number": {"type": "integer", "default": 5, "nullable": true,
      "doc": "How many."}}]=])
grapnel_add_hostile(checks/load_tried.c
  CALLBACK [=[, "parameters": {"number": {"type": "integer", "doc": "How many."}}]=])
grapnel_add_hostile(checks/load_hooks_named.c CALLBACK [=[, "hooks": ["on_train_batch_end", "on_fit_start"]]=])

# Manifests
grapnel_add_hostile(checks/static_manifest.c EMBED manifest_broken.json SIDECAR none)
grapnel_add_hostile(checks/static_manifest_keys.c MANIFEST checks/static_manifest_keys.json.in)
grapnel_add_hostile(checks/static_license.c MANIFEST checks/static_license.json.in)
grapnel_add_hostile(checks/static_embedded.c EMBED none)
grapnel_add_hostile(checks/static_usable.c REQUIRES "\"grapnel.moon_of_cheese/1\"")

# Sealing
set(all_needed "LINKER:--no-as-needed")
grapnel_add_hostile(checks/static_exports.c UNSEALED)
grapnel_add_hostile(checks/static_unique_symbols.c UNSEALED)
grapnel_add_hostile(checks/static_cxx_runtime.c LIBRARIES stdc++ LINK_OPTIONS ${all_needed})
grapnel_add_hostile(checks/static_libtorch.c LIBRARIES hostile_fake_libtorch LINK_OPTIONS ${all_needed})
grapnel_add_hostile(checks/static_libtorch_symbols.c)
grapnel_add_hostile(checks/static_search_paths.c)
set_target_properties(hostile_static_search_paths PROPERTIES INSTALL_RPATH "/opt/plugins")
grapnel_add_hostile(checks/static_paths.c LIBRARIES hostile_dependency LINK_OPTIONS ${all_needed})
grapnel_add_hostile(checks/static_text_relocations.c LINK_OPTIONS "LINKER:-z,notext")
grapnel_add_hostile(checks/static_executable_stack.c LINK_OPTIONS "LINKER:-z,execstack")
