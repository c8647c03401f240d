// grapnel checkpoint diff
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <string>

#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/host/checkpoint_diff.h>

#include "commands.h"
#include "output.h"

namespace grapnel::program {
namespace {

struct DiffOptions {
  std::string a;
  std::string b;
  std::string below;
  bool json = false;
};

std::string describe(const std::optional<host::TensorType>& type) {
  return type ? fmt::format("{} [{}]", printable(type->dtype), fmt::join(type->shape, ", "))
              : "none";
}

std::string describe(const std::optional<ConfigValue>& value) {
  return value ? printable(write_json(*value), 60) : "none";
}

void print_diff(const host::CheckpointDiff& diff) {
  if (!diff.tensors.empty()) {
    TextTable table({"TENSOR", "A", "B", "MAX |A-B|", "ELEMENTS"});
    for (const host::TensorDifference& each : diff.tensors) {
      const bool compared = each.max_difference.has_value();
      table.add({printable(each.place), describe(each.a), describe(each.b),
                 compared ? fmt::format("{:.6g}", *each.max_difference) : "",
                 compared ? std::to_string(each.elements) : ""});
    }
    print(table.to_text(output_width()) + "\n");
  }
  if (!diff.values.empty()) {
    TextTable table({"VALUE", "A", "B"});
    for (const host::ValueDifference& each : diff.values) {
      table.add({printable(each.place), describe(each.a), describe(each.b)});
    }
    print(table.to_text(output_width()) + "\n");
  }
  print(fmt::format("{}: {} tensors differ, {} are equal; {} other values differ\n",
                    diff.equal() ? paint("equal", Color::green) : paint("different", Color::yellow),
                    diff.tensors.size(), diff.equal_tensors, diff.values.size()));
}

void run(const DiffOptions& options, Context& context) {
  const host::CheckpointDiff diff = host::diff_checkpoints(options.a, options.b, options.below);
  if (options.json) {
    print_json(to_json(diff));
  } else {
    print_diff(diff);
  }
  context.exit_code = diff.equal() ? 0 : 1;
}

}  // namespace

void add_checkpoint_diff(CLI::App& parent, Context& context) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* command = parent.add_subcommand("diff", "Show what two checkpoints differ in");
  command->add_option("A", options->a, "A .ckpt file")->required();
  command->add_option("B", options->b, "Another one")->required();
  command->add_option("--below", options->below,
                      "Compare only this part: state_dict, optimizer_states, callbacks, loops ...");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Compares tensors by their places in the two checkpoints (type, shape, and every element)\n"
      "and everything else: counters, the states of callbacks and schedulers. Exits with 0 when\n"
      "the two are equal, with 1 when they differ.\n"
      "\n"
      "Example:\n"
      "  grapnel checkpoint diff --below state_dict a.ckpt b.ckpt");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace grapnel::program
