// What the tests of base run in processes of their own: ends in every way a process can, fills its
// streams, holds locks, writes checkpoints until it is killed or its file size is limited.
#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace {

using Arguments = std::vector<std::string>;

int print_facts(const Arguments&) {
  std::cout << "cwd=" << std::filesystem::current_path().string() << "\n"
            << "variable=" << grapnel::environment_variable("BASE_CHILD_VARIABLE").value_or("unset")
            << "\n"
            << "inherited=" << grapnel::environment_variable("BASE_CHILD_KEPT").value_or("unset")
            << "\n"
            << "stdin=" << (std::cin.get() == EOF ? "empty" : "something") << "\n";
  for (int descriptor = 3; descriptor < 64; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0) std::cout << "open=" << descriptor << "\n";
  }
  const bool pipe_default = std::signal(SIGPIPE, SIG_DFL) == SIG_DFL;
  std::cout << "sigpipe=" << (pipe_default ? "default" : "changed") << "\n";
  return 0;
}

// Two streams at once, more than a pipe holds.
int flood(const Arguments& arguments) {
  const std::string line(1023, 'x');
  for (int i = 0; i < std::stoi(arguments.at(0)); ++i) {
    std::cout << line << "\n";
    std::cerr << line << "\n";
  }
  std::cout << "last of output" << std::flush;
  std::cerr << "last of error" << std::flush;
  return 0;
}

// Leaves a grandchild that holds this process's streams open.
int leave_grandchild(const Arguments&) {
  const pid_t grandchild = fork();
  if (grandchild == 0) {
    for (;;) pause();
  }
  std::cout << grandchild << std::flush;
  return 0;
}

int wait_with_grandchild(const Arguments&) {
  const pid_t grandchild = fork();
  if (grandchild != 0) std::cout << grandchild << std::flush;
  for (;;) pause();
}

// Holds the lock until it is killed. Says by a file that it has it.
int hold_lock(const Arguments& arguments) {
  const auto lock = grapnel::FileLock::acquire(arguments.at(0), grapnel::LockKind::exclusive, 10.0);
  grapnel::write_file(arguments.at(1), "held", grapnel::Durability::fast);
  for (;;) pause();
}

std::vector<std::byte> pattern(std::size_t size, int version) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + version);
  return bytes;
}

void write_version(const std::filesystem::path& path, std::size_t size, int version) {
  const std::vector<std::byte> bytes = pattern(size, version);
  const std::vector<grapnel::TensorView> tensors = {
      {"model.weight", "U8", {static_cast<std::int64_t>(size)}, bytes}};
  grapnel::ConfigValue document = grapnel::ConfigValue::object();
  document.set("version", version);
  grapnel::write_checkpoint_file(path, tensors, document, grapnel::Durability::fast);
}

// Writes the same checkpoint again and again, each time with other content, until it is killed.
int rewrite(const Arguments& arguments) {
  for (int version = 1;; ++version) {
    write_version(arguments.at(0), std::stoul(arguments.at(1)), version);
  }
}

// A disk that is full: no file may grow past the limit.
int write_limited(const Arguments& arguments) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{std::stoul(arguments.at(2)), std::stoul(arguments.at(2))};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 9;
  try {
    write_version(arguments.at(0), std::stoul(arguments.at(1)), 2);
  } catch (const grapnel::IoError& error) {
    std::cout << error.what();
    return error.error_number == EFBIG ? 1 : 8;
  }
  return 0;
}

int crash(const Arguments&) {
  std::signal(SIGSEGV, SIG_DFL);
  std::cerr << "about to fall" << std::flush;
  return std::raise(SIGSEGV);
}

}  // namespace

int main(int count, char** values) {
  const std::map<std::string, std::function<int(const Arguments&)>> commands = {
      {"exit", [](const Arguments& a) { return std::stoi(a.at(0)); }},
      {"echo",
       [](const Arguments& a) {
         for (const auto& text : a) std::cout << "[" << text << "]";
         return 0;
       }},
      {"facts", print_facts},
      {"flood", flood},
      {"crash", crash},
      {"hang",
       [](const Arguments&) -> int {
         for (;;) pause();
       }},
      {"close-streams",
       [](const Arguments&) {
         close(1);
         close(2);
         usleep(100'000);
         return 7;
       }},
      {"leave-grandchild", leave_grandchild},
      {"wait-with-grandchild", wait_with_grandchild},
      {"hold-lock", hold_lock},
      {"rewrite", rewrite},
      {"write-limited", write_limited},
      {"replace",
       [](const Arguments& a) -> int {
         grapnel::replace_process(a.at(0), {a.begin() + 1, a.end()});
       }},
  };
  const Arguments arguments(values + 2, values + count);
  return commands.at(values[1])(arguments);
}
