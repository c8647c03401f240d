// The cases' prediction writer: reports each call and keeps what it was given.
#pragma once

#include <fmt/format.h>
#include <grapnel/callbacks/base_prediction_writer.h>

#include "journal.h"
#include "state_json.h"

namespace grapnel::oracle {

class PredWriter final : public BasePredictionWriter {
 public:
  PredWriter(Journal& journal, WriteInterval interval)
      : BasePredictionWriter(interval), journal_(journal) {}

 protected:
  void write_on_batch_end(EvalBatchEnd& event, const TensorTree& prediction,
                          const Indices& batch_indices) override {
    journal_.enter(
        "writer", "write_on_batch_end",
        fmt::format("batch_idx={},dataloader_idx={}", event.batch_idx, event.dataloader_idx));
    Json write = Json::object();
    write.set("event", "batch");
    write.set("batch_idx", event.batch_idx);
    write.set("dataloader_idx", event.dataloader_idx);
    write.set("batch_indices", indices(batch_indices));
    write.set("prediction", tensor_json(prediction.tensor));
    journal_.writes.append(std::move(write));
  }

  void write_on_epoch_end(Event&, const std::vector<Predictions>& predictions,
                          const EpochIndices& batch_indices) override {
    journal_.enter("writer", "write_on_epoch_end");
    Json write = Json::object();
    write.set("event", "epoch");
    Json nested = Json::array();
    for (const auto& loader : batch_indices) {
      Json& batches = nested.append(Json::array());
      for (const Indices& batch : loader) batches.append(indices(batch));
    }
    write.set("batch_indices", std::move(nested));
    // One loader's batches stand without a list around them.
    Json lists = Json::array();
    for (const Predictions& loader : predictions) {
      Json& batches = lists.append(Json::array());
      for (const TensorTree& tree : loader) batches.append(tensor_json(tree.tensor));
    }
    if (lists.size() == 1) lists = Json(lists.as_array()[0]);
    write.set("n_predictions", static_cast<std::int64_t>(lists.size()));
    write.set("predictions", std::move(lists));
    journal_.writes.append(std::move(write));
  }

 private:
  static Json indices(const Indices& values) {
    Json list = Json::array();
    for (const std::int64_t value : values) list.append(value);
    return list;
  }

  Journal& journal_;
};

}  // namespace grapnel::oracle
