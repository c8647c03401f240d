#include "child_training.h"

#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>

#include <csignal>
#include <cstdio>
#include <fstream>

#include "file_operations.h"
#include "patience.h"

namespace grapnel::random_test {

ChildEnd train_in_child(const Plan& plan, const TrainingSetup& setup, int64_t kill_at,
                        const std::filesystem::path& workspace) {
  ConfigValue task;
  task.set("seed", plan.seed);
  task.set("plan", plan.document);
  task.set("directory", setup.directory.string());
  task.set("checkpoint", setup.checkpoint.string());
  task.set("process_seed", setup.process_seed);
  task.set("kind", setup.order->stop.kind);
  task.set("hook", setup.order->stop.hook);
  task.set("call", setup.order->call);
  task.set("rows", setup.rows.size());
  task.set("kill_at", kill_at);
  const std::filesystem::path file = workspace / "child.json";
  std::ofstream(file) << write_json(task);

  ProcessOptions options;
  options.program = executable_path();
  options.arguments = {"--child", file.string()};
  options.deadline_seconds = 120 * test::kPatience;
  const ProcessResult result = run_process(options);
  std::filesystem::remove(file);
  ChildEnd end;
  end.killed = result.end == ProcessResult::End::signalled && result.signal_number == SIGKILL;
  if (!end.killed && !result.ok()) {
    end.error = "the child process " + result.describe() + ": " + result.error;
  }
  return end;
}

int child_main(const std::filesystem::path& file) {
  const ConfigValue task = read_json_file(file);
  const Plan plan{.seed = static_cast<uint64_t>(task.at("seed").as_int()),
                  .document = task.at("plan")};
  TrainingSetup setup;
  setup.directory = task.at("directory").as_string();
  setup.checkpoint = task.at("checkpoint").as_string();
  setup.order = StopOrder{{task.at("kind").as_string(), task.at("hook").as_string()},
                          task.at("call").as_int()};
  setup.process_seed = static_cast<uint64_t>(task.at("process_seed").as_int());
  // Only how many there are counts: they lie before the checkpoint.
  setup.rows.resize(static_cast<size_t>(task.at("rows").as_int()));
  count_file_operations(task.at("kill_at").as_int());
  const Ending ending = train(plan, setup);
  if (ending.error.empty()) return 0;
  std::fputs(ending.error.c_str(), stderr);
  return 1;
}

}  // namespace grapnel::random_test
