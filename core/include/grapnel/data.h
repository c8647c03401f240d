// Where batches come from.
//
// A DataLoader gives the batches of one epoch after the other. The order of an epoch comes from a
// seed and the epoch's number alone, never from a shared generator, and the position is the count
// of batches consumed: that makes it possible to resume in the middle of an epoch. A checkpoint keeps
// what a loader says of its batches (batch_size, dataset_size, shuffles, seed), so that a run that
// resumes with batches of another size continues at the same sample, and one with other data says so.
//
// A walk over the batches has a cursor of its own (DataLoader::cursor), so one loader may be walked
// over by several at a time: for training and validation, twice in a CombinedLoader, by a hook that
// looks at the data during an epoch.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "grapnel/batch.h"
#include "grapnel/export.h"
#include "grapnel/override_mask.h"
#include "grapnel/run_state.h"
#include "grapnel/state_dict.h"
#include "grapnel/trainer_links.h"

namespace grapnel {

class Run;
class Trainer;

class GRAPNEL_CORE_API DataLoader {
 public:
  virtual ~DataLoader();

  // Batches per epoch; nothing when that is unknown before the end.
  virtual std::optional<int64_t> size() const = 0;

  // Begins an epoch from its first batch. May be called at any time.
  virtual void start(int64_t epoch) = 0;

  // The next batch, or nothing after the last. Throws DataError when data can't be had.
  virtual std::optional<Batch> next() = 0;

  // Passes over batches that a resumed run has already consumed. Default: calls next.
  virtual void skip(int64_t batches);

  // A loader of the same batches, with the settings that this one has now and a position of its
  // own. nullptr (the default): this one has the only position. The trainer then walks over the
  // loader itself: after a validation with the loader that it trains on, it starts the epoch again
  // and skips to where it was; a hook must not read from the loader during an epoch; and a
  // CombinedLoader refuses it twice.
  virtual std::shared_ptr<DataLoader> cursor() const { return nullptr; }

  // Samples in the data set and per batch; nothing when unknown.
  virtual std::optional<int64_t> dataset_size() const { return {}; }
  virtual std::optional<int64_t> batch_size() const { return {}; }

  // Whether epochs are shuffled; overfit_batches turns it off.
  virtual bool shuffles() const { return false; }
  virtual void set_shuffle(bool) {}

  // What shuffled orders come from, with the epoch's number; nothing when unknown.
  virtual std::optional<uint64_t> seed() const { return {}; }

  // Whether a last batch that isn't full is left out; predict turns it off while it runs.
  virtual bool drops_last() const { return false; }
  virtual void set_drop_last(bool) {}
};

using DataLoaders = std::vector<std::shared_ptr<DataLoader>>;

// Functions of a data module, and the data functions of a Module: names for override masks.
#define GRAPNEL_DATA_METHODS(X) \
  X(prepare_data)               \
  X(train_dataloader)           \
  X(val_dataloaders)            \
  X(test_dataloaders)           \
  X(predict_dataloaders)        \
  X(on_before_batch_transfer)   \
  X(transfer_batch_to_device)   \
  X(on_after_batch_transfer)

enum class DataMethod : uint32_t {
#define X(name) name,
  GRAPNEL_DATA_METHODS(X)
#undef X
      count
};
using DataMask = BitMask<static_cast<size_t>(DataMethod::count)>;

// Everything about one data set in one place: preparation, loaders, what happens to a batch on its
// way to the device. Every function is optional; a loader function that is not overridden means
// that there is no such data.
class GRAPNEL_CORE_API DataModule {
 public:
  virtual ~DataModule();

  // Once, before setup: downloads and the like.
  virtual void prepare_data() {}
  virtual void setup(RunKind) {}
  virtual void teardown(RunKind) {}
  virtual void on_exception(const std::exception_ptr&) {}

  virtual std::shared_ptr<DataLoader> train_dataloader() { return nullptr; }
  virtual DataLoaders val_dataloaders() { return {}; }
  virtual DataLoaders test_dataloaders() { return {}; }
  virtual DataLoaders predict_dataloaders() { return {}; }

  virtual Batch on_before_batch_transfer(Batch batch, int64_t /*dataloader_idx*/) { return batch; }
  virtual Batch transfer_batch_to_device(Batch batch, const at::Device& device,
                                         int64_t dataloader_idx);
  virtual Batch on_after_batch_transfer(Batch batch, int64_t /*dataloader_idx*/) { return batch; }

  virtual std::string type_name() const;
  // Kept in checkpoints, unless empty.
  virtual StateDict state_dict() const { return {}; }
  virtual void load_state_dict(const StateDict&) {}
  // As Callback::gives_back_state.
  virtual bool gives_back_state() const { return false; }

  // Functions that this instance has, out of those that its class overrides.
  virtual DataMask implemented(const DataMask& overridden) const { return overridden; }

  // A batch size that can be changed, for those who search a good one; nothing when there is none.
  virtual int64_t* batch_size_attribute() { return nullptr; }
  // The same by name, for modules that have several.
  virtual int64_t* integer_attribute(const std::string& name) {
    return name == "batch_size" ? batch_size_attribute() : nullptr;
  }

  // What was chosen by the user, to be kept in checkpoints and given to loggers.
  StateDict hyper_parameters;

  // Whose running or last run it is of; nullptr: none that is still there.
  Trainer* trainer() const { return trainers_.current(); }

 private:
  friend class Trainer;
  friend class Run;
  TrainerLinks trainers_;
};

template <class T, class Base>
constexpr DataMask overridden_data_methods() {
  DataMask mask;
#define X(name) mask.set(static_cast<size_t>(DataMethod::name), GRAPNEL_OVERRIDES(T, Base, name));
  GRAPNEL_DATA_METHODS(X)
#undef X
  return mask;
}

// The data of a run: nothing (the module's own functions), a data module, or loaders.
struct GRAPNEL_CORE_API Data {
  Data() = default;
  template <class T>
  requires std::derived_from<T, DataModule> Data(T& data_module)
      : module(&data_module), methods(overridden_data_methods<T, DataModule>()) {
    check_type(typeid(data_module), typeid(T));
  }
  // One loader for any kind of run: it is in train, and evaluations take it from there.
  Data(std::shared_ptr<DataLoader> loader_of_the_stage);
  template <class T>
  requires std::derived_from<T, DataLoader> Data(std::shared_ptr<T> loader_of_the_stage)
      : Data(std::shared_ptr<DataLoader>(std::move(loader_of_the_stage))) {}
  Data(DataLoaders loaders_of_the_stage);
  Data(std::shared_ptr<DataLoader> train, DataLoaders val);
  // A null loader is a ConfigError in all of them.

  DataModule* module = nullptr;
  DataMask methods;
  std::shared_ptr<DataLoader> train;
  DataLoaders eval;  // of validate, test, predict; of fit's validation; empty: train's, or none
  bool loaders = false;

 private:
  static void check_type(const std::type_info& dynamic, const std::type_info& given);
};

}  // namespace grapnel
