// grapnel checkpoint show
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/host/checkpoint_summary.h>

#include "commands.h"
#include "output.h"

namespace grapnel::program {
namespace {

struct ShowOptions {
  std::string file;
  bool json = false;
};

std::string plural(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string describe_progress(const host::CheckpointSummary& summary) {
  std::vector<std::string> parts;
  if (summary.epoch) parts.push_back(fmt::format("epoch {}", *summary.epoch));
  if (summary.global_step) parts.push_back(fmt::format("step {}", *summary.global_step));
  if (summary.batches)
    parts.push_back(fmt::format(
        "{} of the epoch",
        *summary.batches == 1 ? "1 batch" : fmt::format("{} batches", *summary.batches)));
  return parts.empty() ? "not recorded" : join(parts);
}

std::string describe_contents(const host::CheckpointSummary& summary) {
  if (!summary.optimizers) return "the model's weights only; a training cannot be resumed from it";
  return fmt::format("weights, {}, {}, {}", plural(*summary.optimizers, "optimizer"),
                     plural(summary.schedulers, "scheduler"),
                     plural(summary.callbacks.size(), "callback state"));
}

void print_tensors(const host::TensorGroup& group) {
  TextTable table({"MODEL", "TYPE", "SIZE", "SHAPE"});
  for (const TensorEntry& tensor : group.tensors) {
    table.add({printable(tensor.name), tensor.dtype, human_bytes(tensor.size()),
               fmt::format("[{}]", fmt::join(tensor.shape, ", "))});
  }
  print("\n" + table.to_text(output_width()));
  print(fmt::format("{}, {} elements, {}\n", plural(group.tensors.size(), "tensor"),
                    human_count(group.elements), human_bytes(group.bytes)));
}

void print_callbacks(const host::CheckpointSummary& summary) {
  TextTable table({"CALLBACK", "PLUGIN", "TENSORS", "STATE"});
  for (const host::CallbackState& callback : summary.callbacks) {
    table.add({printable(callback.key), printable(callback.plugin_version),
               callback.tensors == 0
                   ? ""
                   : fmt::format("{} ({})", callback.tensors, human_bytes(callback.tensor_bytes)),
               printable(join(callback.fields))});
  }
  print("\n" + table.to_text(output_width()));
}

void print_other_groups(const host::CheckpointSummary& summary) {
  std::vector<std::string> parts;
  for (const host::TensorGroup& group : summary.groups) {
    if (group.name == "model" || group.name == "callbacks") continue;
    parts.push_back(fmt::format("{}: {}, {}", printable(group.name),
                                plural(group.tensors.size(), "tensor"), human_bytes(group.bytes)));
  }
  if (!parts.empty()) print("\nOther tensors: " + join(parts, "; ") + "\n");
}

void run(const ShowOptions& options) {
  const host::CheckpointSummary summary = host::summarize_checkpoint(options.file);
  if (options.json) {
    print_json(to_json(summary));
    return;
  }
  print(fmt::format("{}  {}\n", paint(printable(summary.path.string()), Color::bold),
                    human_bytes(summary.bytes)));
  print(fmt::format(
      "  {:<12}grapnel {} (format {})\n", "Written by",
      summary.grapnel_version.empty() ? "of unknown version" : printable(summary.grapnel_version),
      summary.format_version));
  print(fmt::format("  {:<12}{}\n", "Progress", describe_progress(summary)));
  print(fmt::format("  {:<12}{}\n", "Contents", describe_contents(summary)));
  if (!summary.hyper_parameters.is_null()) {
    print(fmt::format("  {:<12}{}\n", "Made with",
                      printable(write_json(summary.hyper_parameters), 400)));
  }
  print(fmt::format("  {:<12}{}\n", "SHA-256", summary.sha256));
  if (const host::TensorGroup* model = summary.find("model")) print_tensors(*model);
  if (!summary.callbacks.empty()) print_callbacks(summary);
  print_other_groups(summary);
}

}  // namespace

void add_checkpoint_show(CLI::App& parent, Context&) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command = parent.add_subcommand("show", "Show what a checkpoint holds");
  command->add_option("FILE", options->file, "A .ckpt file")->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Reads the file's document and the tensors' names, not their data; 'grapnel checkpoint "
      "verify'\n"
      "reads and checks all of it.\n\n"
      "Example:\n"
      "  grapnel checkpoint show runs/mlp-digits-0/checkpoints/last.ckpt");
  command->callback([options] { run(*options); });
}

}  // namespace grapnel::program
