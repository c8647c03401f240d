#include "rules_options.h"

#include "rule_parts.h"
#include "values.h"

namespace grapnel::oracle {
namespace {

struct Meaningless {
  std::string_view of;  // "trainer", or a callback's type
  std::string_view option;
  bool (*is)(const Json& value);
};

template <int least>
bool below(const Json& value) {
  return value.is_number() && value.as_double() < least;
}

bool is_fraction(const Json& value) {
  return value.is_number() && !value.is_integer();
}

bool is_nothing(const Json& value) {
  return value.is_number() && value.as_double() == 0;
}

bool is_no_direction(const Json& value) {
  return value.is_string() && value.as_string() != "min" && value.as_string() != "max";
}

bool is_no_annealing(const Json& value) {
  return value.is_string() && value.as_string() != "cos" && value.as_string() != "linear";
}

bool is_no_link(const Json& value) {
  return value.is_string() && value.as_string() != "link";
}

bool is_no_share(const Json& value) {
  return below<0>(value) || (is_fraction(value) && value.as_double() > 1);
}

constexpr Meaningless kOptions[] = {
    {"trainer", "accumulate_grad_batches", below<1>},
    {"trainer", "accumulate_grad_batches", is_fraction},
    {"trainer", "check_val_every_n_epoch", below<1>},
    {"trainer", "gradient_clip_val", below<0>},
    {"trainer", "log_every_n_steps", below<0>},
    {"trainer", "min_epochs", below<0>},
    {"trainer", "min_steps", below<0>},
    {"trainer", "num_sanity_val_steps", below<-1>},
    {"trainer", "val_check_interval", is_nothing},
    {"BackboneFinetuning", "unfreeze_backbone_at_epoch", below<0>},
    {"BatchSizeFinder", "max_val", below<1>},
    {"EMAWeightAveraging", "update_every_n_steps", below<0>},
    {"ModelCheckpoint", "save_last", is_no_link},
    {"ModelPruning", "amount", is_no_share},
    {"ModelSummary", "max_depth", below<-1>},
    {"SpikeDetection", "mode", is_no_direction},
    {"StochasticWeightAveraging", "annealing_epochs", below<0>},
    {"StochasticWeightAveraging", "annealing_strategy", is_no_annealing},
    {"TQDMProgressBar", "refresh_rate", below<0>},
    {"TQDMProgressBar", "refresh_rate", is_fraction},
};

// Names option and value in `found`, when one is meaningless.
bool find_in(std::string_view owner, const Json& options, Json& found) {
  for (const Meaningless& rule : kOptions) {
    const Json& value = get(options, rule.option);
    if (rule.of != owner || value.is_null() || !rule.is(value)) continue;
    found.set("option", rule.option);
    found.set("value", value);
    return true;
  }
  return false;
}

// The option that makes no sense, with its value; null when all do.
Json meaningless_option(const Case& test) {
  Json found = Json::object();
  if (find_in("trainer", test.trainer(), found)) return found;
  for (const Json& spec : items(test.callbacks())) {
    if (find_in(text_or(spec, "type", ""), get(spec, "args"), found)) return found;
  }
  return {};
}

}  // namespace

bool has_meaningless_option(const Case& test) {
  return get(test.expect(), "exception").is_null() && !meaningless_option(test).is_null();
}

std::vector<std::string> check_refused(const Case& test, const Json& observed) {
  const Json found = meaningless_option(test);
  const Json& value = found.at("value");
  return check_config_error(observed, {found.at("option").as_string(),
                                       value.is_string() ? value.as_string() : write_json(value)});
}

}  // namespace grapnel::oracle
