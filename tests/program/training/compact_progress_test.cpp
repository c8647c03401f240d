// The plugin compact_progress on a terminal, in a log file, and where no progress is wanted.
#include <regex>

#include "../on_terminal.h"
#include "trainee.h"

namespace compact_progress_test {

using namespace grapnel::test;
using Catch::Contains;

namespace {

// Fifty epochs, far longer than the tenth of a second between two drawings.
const Arguments kOptions = {"--plugin",  "compact_progress",
                            "--run-dir", "run",
                            "--set",     "trainer.enable_progress_bar=false"};

bool has_line(const std::string& text) {
  return std::regex_search(text, std::regex(R"((fit|validate)  epoch \d+/50  \[=)"));
}

}  // namespace

TEST_CASE("compact_progress draws one line on a terminal, below a line for each checkpoint") {
  const Trainee user;
  user.drop_in("compact_progress");
  Arguments arguments = {"fit", "--set", "trainer.max_epochs=50", "--set",
                         "trainer.limit_train_batches=10"};
  arguments.insert(arguments.end(), kOptions.begin(), kOptions.end());
  const std::string screen = on_terminal(user, arguments, 100);
  CHECK(has_line(screen));
  CHECK_THAT(screen, Contains("saved ") && Contains(".ckpt"));
}

TEST_CASE("compact_progress writes checkpoints into a log file, and nothing with --quiet") {
  const Trainee user;
  user.drop_in("compact_progress");
  const grapnel::ProcessResult logged = user.fit(50, kOptions);
  CHECK(logged.exit_code == 0);
  CHECK_THAT(logged.error, Contains("saved ") && !Contains("\x1b"));
  CHECK_FALSE(has_line(logged.error));

  Arguments quiet = kOptions;
  quiet.emplace_back("--quiet");
  const grapnel::ProcessResult silent = user.fit(50, quiet);
  CHECK(silent.exit_code == 0);
  CHECK_THAT(silent.error, !Contains("saved "));
}

}  // namespace compact_progress_test
