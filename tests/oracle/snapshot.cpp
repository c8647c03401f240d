#include "snapshot.h"

#include <grapnel/base/error.h>
#include <grapnel/trainer.h>

#include <string>

#include "observe/observe.h"

namespace grapnel::oracle {
namespace {

Json observe(const std::string& field, const Trainer& trainer, Module& module) {
  if (field == "accumulate_grad_batches") return trainer.state().accumulate_grad_batches;
  if (field == "callbacks") return observe_callbacks(trainer);
  if (field == "files") return observe_files(trainer.default_root_dir());
  if (field == "lr") return observe_lr(trainer);
  if (field == "masks") return observe_masks(module);
  if (field == "max_epochs") return trainer.state().max_epochs;
  if (field == "optimizers") return observe_optimizers(trainer);
  if (field == "requires_grad") return observe_requires_grad(module);
  if (field == "weights") return observe_weights(module);
  if (field == "state_dict_keys") return observe_state_dict_keys(module);
  throw Error("this runner takes no snapshot of '" + field + "'");
}

}  // namespace

void take_snapshot(std::string_view at, std::optional<std::int64_t> batch_idx, Journal& journal,
                   Module& module) {
  const Json& document = journal.test().document;
  const Json& fields = get(document, "snapshot");
  if (fields.is_null()) return;
  if (at == "batch_start" && !flag_or(document, "snapshot_batches", false)) return;

  const Trainer& trainer = *journal.trainer;
  Json snapshot = Json::object();
  snapshot.set("at", at);
  snapshot.set("epoch", trainer.current_epoch());
  snapshot.set("global_step", trainer.global_step());
  if (batch_idx) snapshot.set("batch_idx", *batch_idx);
  for (const Json& field : fields.as_array()) {
    snapshot.set(field.as_string(), observe(field.as_string(), trainer, module));
  }
  journal.snapshots.append(std::move(snapshot));
}

}  // namespace grapnel::oracle
