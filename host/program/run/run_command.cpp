// grapnel fit, validate, test, predict: one set of options, four kinds of run.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <memory>
#include <string>

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/prediction_file.h>

#include "commands.h"
#include "explain.h"
#include "output.h"
#include "report.h"
#include "run_log.h"
#include "session.h"
#include "signals.h"
#include "slurm.h"

namespace grapnel::program {
namespace {

constexpr const char* kFitFooter =
    "Without --config, a small network learns the embedded digits. A run writes everything\n"
    "to its run directory, by default runs/NAME-N: run.json as it ran, metrics.csv, and\n"
    "checkpoints/ with the best and the last state, from which a run resumes bit for bit.\n"
    "\n"
    "Examples:\n"
    "  grapnel fit\n"
    "  grapnel fit --config run.json --set trainer.max_epochs=5 --set optimizer=AdamW\n"
    "  grapnel fit --set model=cnn --set callbacks.early_stopping.monitor=val_loss\n"
    "  grapnel fit --ckpt last --set trainer.max_epochs=10\n"
    "  grapnel fit --plugin ./my_plugin.so --explain\n"
    "  grapnel fit --plugin ./my_plugin.so --profile";

constexpr const char* kEvaluationFooter =
    "Uses the model, the data and the best checkpoint of the latest run in runs/, unless\n"
    "--run-dir, --config or --ckpt are given.\n"
    "\n"
    "Examples:\n"
    "  grapnel {0}\n"
    "  grapnel {0} --run-dir runs/mlp-digits-0 --ckpt last --json";

void print_report(const Session& session, std::string_view interrupted) {
  if (session.request().json) {
    print_json(report_json(session, interrupted));
  } else {
    print(report_text(session, interrupted));
  }
}

// A scheduler's warning that the time is over.
void requeue_after(const Interrupted& interrupt, const RunRequest& request) {
  if (interrupt.signal_number != kRequeueSignal || request.kind != RunKind::fit) return;
  if (const std::string job = slurm_job(); !job.empty()) requeue_slurm_job(job);
}

// After a signal, with everything saved: what a scheduler needs first, then the results so far.
void end_interrupted(const Session& session, const Interrupted& interrupt) {
  requeue_after(interrupt, session.request());
  RunLog::show(LogLevel::warning, nullptr);
  try {
    print_report(session, interrupt.what());
  } catch (const IoError& error) {
    log_warning("{}", error.what());  // the exit code says what ended the run
  }
}

void run(const RunRequest& request, Context& context) {
  const Signals signals;
  try {
    Session session(request);
    if (request.explain) {
      if (request.json) {
        print_json(explain_json(session));
      } else {
        print(explain_text(session));
      }
      return;
    }
    try {
      session.run();
    } catch (const Interrupted& interrupt) {
      end_interrupted(session, interrupt);
      context.exit_code = exit_code_of(interrupt);
      return;
    }
    RunLog::show(request.quiet ? LogLevel::warning : LogLevel::info, nullptr);
    print_report(session, "");
  } catch (const Interrupted& interrupt) {  // before the run began
    requeue_after(interrupt, request);
    throw;
  } catch (...) {
    RunLog::show(LogLevel::warning, nullptr);  // the bar stays above main's message
    throw;
  }
}

void add_run_options(CLI::App& command, RunRequest& request) {
  const auto several = [](CLI::Option* option) { option->allow_extra_args(false); };
  command.add_option("--config", request.config, "The file that describes the run")
      ->type_name("run.json");
  several(command
              .add_option("--set", request.assignments,
                          "Override a value, for example trainer.max_epochs=5; repeatable")
              ->type_name("PATH=VALUE"));
  command
      .add_option("--ckpt", request.checkpoint,
                  request.kind == RunKind::fit
                      ? "Resume from this checkpoint; 'last' or 'best': of the run directory, else "
                        "of the latest run; 'auto': the last of --run-dir, where it has one"
                      : "Use this checkpoint's weights; 'last' or 'best' (the default): of the run "
                        "directory, else of the latest run")
      ->type_name(request.kind == RunKind::fit ? "PATH|last|best|auto" : "PATH|last|best");
  command.add_option("--run-dir", request.run_directory, "Directory for everything the run writes")
      ->type_name("DIR");
  several(command
              .add_option("--plugin", request.plugins,
                          "Also use this plugin, for this run only; repeatable")
              ->type_name("ID|FILE"));
  several(command
              .add_option("--no-plugin", request.no_plugins,
                          "Do not use this enabled plugin; repeatable")
              ->type_name("ID"));
  several(command
              .add_option("--plugin-path", request.plugin_path,
                          "Search this directory for plugins first; repeatable")
              ->type_name("DIR"));
  command
      .add_option("--threads", request.threads,
                  "Threads per operator (default 1, the fastest for small models)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command.add_flag("--json", request.json, "Print one JSON object at the end");
  command.add_flag("--quiet", request.quiet, "Show no progress bar, and only warnings and errors");
  command.add_flag("--profile", request.profile,
                   "Time every hook and step: a table in the log, and profile-*.json for "
                   "chrome://tracing");
  command.add_flag("--explain", request.explain,
                   "Print the run's callbacks and the hooks each gets, and exit");
}

CLI::App& add_run_command(CLI::App& app, Context& context, const char* name, const char* summary,
                          RunKind kind) {
  const auto request = std::make_shared<RunRequest>();
  request->kind = kind;
  CLI::App& command = *app.add_subcommand(name, summary);
  add_run_options(command, *request);
  command.footer(kind == RunKind::fit ? std::string(kFitFooter)
                                      : fmt::format(fmt::runtime(kEvaluationFooter), name));
  if (kind == RunKind::predict) {
    command
        .add_option("--output", request->output,
                    "The file to write: .csv (default predictions.csv in the run directory) or "
                    ".safetensors")
        ->type_name("FILE")
        ->check(CLI::Validator(
            [](const std::string& file) {
              return is_predictions_file(file) ? std::string()
                                               : quote(file) + " must end in .csv or .safetensors";
            },
            ""));
  }
  command.callback([request, &context] { run(*request, context); });
  return command;
}

}  // namespace

void add_fit(CLI::App& app, Context& context) {
  add_run_command(app, context, "fit", "Train a model described by a run.json", RunKind::fit);
}

void add_validate(CLI::App& app, Context& context) {
  add_run_command(app, context, "validate", "Evaluate a model on its validation data",
                  RunKind::validate);
}

void add_test(CLI::App& app, Context& context) {
  add_run_command(app, context, "test", "Evaluate a model on its test data", RunKind::test);
}

void add_predict(CLI::App& app, Context& context) {
  add_run_command(app, context, "predict", "Write a model's predictions", RunKind::predict);
}

}  // namespace grapnel::program
