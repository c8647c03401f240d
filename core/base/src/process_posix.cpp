// process.h on Linux and macOS, by posix_spawn().
#include <grapnel/base/clock.h>
#include <grapnel/base/error.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#if defined(__linux__)
#include <sys/syscall.h>
#elif defined(__APPLE__)
#include <pthread/qos.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>

#include "output_tail.h"

extern char** environ;  // NOLINT: the name is POSIX's

namespace grapnel {
namespace {

// The two ends of a pipe, neither inherited.
struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    std::array<int, 2> ends{};
#if defined(__APPLE__)
    if (pipe(ends.data()) != 0) throw IoError("create", "a pipe", errno);
    for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
#else
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw IoError("create", "a pipe", errno);
#endif
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close_end(read_end);
    close_end(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  static void close_end(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }

  // Reads what is there; false at the end of the stream.
  bool drain(OutputTail& into) const {
    std::array<char, 65536> buffer;  // not initialized: read() fills it
    for (;;) {
      const ssize_t count = ::read(read_end, buffer.data(), buffer.size());
      if (count > 0) {
        into.append({buffer.data(), static_cast<std::size_t>(count)});
      } else if (count == 0) {
        return false;
      } else if (errno != EINTR) {
        return errno == EAGAIN || errno == EWOULDBLOCK;
      }
    }
  }
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(changes.begin(), changes.end(),
                                      [&](const auto& change) { return change.first == name; });
    if (!replaced) entries.emplace_back(text);
  }
  for (const auto& [name, value] : changes) entries.push_back(name + "=" + value);
  return entries;
}

// The arguments of posix_spawn(); freed at the end of the scope.
struct SpawnSettings {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};

  SpawnSettings(const ProcessOptions& options, const Pipe& output, const Pipe& error) {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output.write_end, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, error.write_end, STDERR_FILENO);
    if (!options.working_directory.empty()) {
      posix_spawn_file_actions_addchdir_np(&files, options.working_directory.c_str());
    }
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    // Files that others opened without O_CLOEXEC.
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
#endif
    sigset_t all_signals;
    sigset_t none;
    sigfillset(&all_signals);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all_signals);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);  // so that its descendants can be ended with it
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP;
#if defined(__APPLE__)
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
    posix_spawnattr_setflags(&attributes, flags);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

pid_t spawn(const ProcessOptions& options, const Pipe& output, const Pipe& error) {
  if (!options.working_directory.empty() &&
      !std::filesystem::is_directory(options.working_directory)) {
    throw IoError("start a process in", options.working_directory, ENOENT);
  }
  // The child changes its directory before it looks for the program.
  const std::filesystem::path program = std::filesystem::absolute(options.program);
  std::vector<std::string> arguments = {options.program.string()};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> entries = merged_environment(options.environment);
  const SpawnSettings settings(options, output, error);
  pid_t child = -1;
  const int failure = posix_spawn(&child, program.c_str(), &settings.files, &settings.attributes,
                                  pointers(arguments).data(), pointers(entries).data());
  if (failure != 0) throw IoError("start", options.program, failure);
  return child;
}

void note_end(ProcessResult& result, int status) {
  if (WIFSIGNALED(status)) {
    result.end = ProcessResult::End::signalled;
    result.signal_number = WTERMSIG(status);
  } else {
    result.end = ProcessResult::End::exited;
    result.exit_code = WEXITSTATUS(status);
  }
}

// The exit status of a child is lost when the process ignores SIGCHLD.
void require_child_ends_are_told(const std::filesystem::path& program) {
  struct sigaction action {};
  sigaction(SIGCHLD, nullptr, &action);
  if (action.sa_handler == SIG_IGN || (action.sa_flags & SA_NOCLDWAIT) != 0) {
    throw IoError("start", program, ECHILD,
                  "this process ignores SIGCHLD, so the exit status of its "
                  "children is lost; reset that signal to its default first");
  }
}

// A child that was started: ended with its descendants and waited for by the end of the scope,
// unless that was done before.
class Child {
 public:
  explicit Child(pid_t id) noexcept : id_(id) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (ended_) return;
    end_group();
    int status = 0;
    while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
  }

  void end_group() const noexcept { kill(-id_, SIGKILL); }

  // True when it has ended.
  bool reap(int flags, int& status) {
    pid_t ended = -1;
    do {
      ended = waitpid(id_, &status, flags);
    } while (ended < 0 && errno == EINTR);
    if (ended < 0) {
      throw IoError("wait for", "a child process", errno,
                    "something else in this process already waited for it");
    }
    ended_ = ended == id_;
    return ended_;
  }

 private:
  pid_t id_;
  bool ended_ = false;
};

}  // namespace

std::int64_t process_id() noexcept {
  return getpid();
}

void lower_thread_priority() noexcept {
#if defined(__linux__)
  // Linux's niceness belongs to a thread, POSIX's to the process. 10: a tenth of a busy thread's share.
  constexpr int kBackground = 10;
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kBackground);
#elif defined(__APPLE__)
  pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#endif
}

bool process_exists(std::int64_t id) noexcept {
  if (id <= 0 || id > std::numeric_limits<pid_t>::max()) return false;
  return kill(static_cast<pid_t>(id), 0) == 0 || errno == EPERM;
}

std::string signal_name(int signal_number) {
#define GRAPNEL_SIGNAL(name) \
  case name:                 \
    return #name;
  switch (signal_number) {
    GRAPNEL_SIGNAL(SIGHUP)
    GRAPNEL_SIGNAL(SIGINT)
    GRAPNEL_SIGNAL(SIGQUIT)
    GRAPNEL_SIGNAL(SIGILL)
    GRAPNEL_SIGNAL(SIGTRAP)
    GRAPNEL_SIGNAL(SIGABRT)
    GRAPNEL_SIGNAL(SIGBUS)
    GRAPNEL_SIGNAL(SIGFPE)
    GRAPNEL_SIGNAL(SIGKILL)
    GRAPNEL_SIGNAL(SIGUSR1)
    GRAPNEL_SIGNAL(SIGSEGV)
    GRAPNEL_SIGNAL(SIGUSR2)
    GRAPNEL_SIGNAL(SIGPIPE)
    GRAPNEL_SIGNAL(SIGALRM)
    GRAPNEL_SIGNAL(SIGTERM)
    GRAPNEL_SIGNAL(SIGXCPU)
    GRAPNEL_SIGNAL(SIGXFSZ)
    GRAPNEL_SIGNAL(SIGSYS)
    default:
      return "signal " + std::to_string(signal_number);
  }
#undef GRAPNEL_SIGNAL
}

ProcessResult run_process(const ProcessOptions& options) {
  require_child_ends_are_told(options.program);
  Pipe output;
  Pipe error;
  const double start = system_clock().now();
  Child child(spawn(options, output, error));
  Pipe::close_end(output.write_end);
  Pipe::close_end(error.write_end);
  for (const Pipe* stream : {&output, &error}) {
    fcntl(stream->read_end, F_SETFL, fcntl(stream->read_end, F_GETFL) | O_NONBLOCK);
  }

  OutputTail output_tail(options.max_output_bytes);
  OutputTail error_tail(options.max_output_bytes);
  bool output_open = true;
  bool error_open = true;
  int status = 0;
  bool ended = false;
  bool timed_out = false;
  while (!ended) {
    const double left = start + options.deadline_seconds - system_clock().now();
    if (left <= 0) {
      timed_out = true;
      child.end_group();
      child.reap(0, status);
      break;
    }
    // Descendants may hold the streams open, or the child close them early: neither says whether it
    // has ended, so that is asked as well, more seldom while output flows.
    std::array<pollfd, 2> waiting = {{{output_open ? output.read_end : -1, POLLIN, 0},
                                      {error_open ? error.read_end : -1, POLLIN, 0}}};
    const double pause = std::min(left, output_open || error_open ? 0.05 : 0.002);
    poll(waiting.data(), waiting.size(), std::max(1, static_cast<int>(pause * 1000)));
    if (output_open) output_open = output.drain(output_tail);
    if (error_open) error_open = error.drain(error_tail);
    ended = child.reap(WNOHANG, status);
  }
  // What it wrote before its end is in the pipes; what descendants may still write is not awaited.
  if (output_open) output.drain(output_tail);
  if (error_open) error.drain(error_tail);

  ProcessResult result;
  note_end(result, status);
  if (timed_out) result.end = ProcessResult::End::timed_out;
  result.seconds = system_clock().now() - start;
  result.output_cut = output_tail.was_cut();
  result.error_cut = error_tail.was_cut();
  result.output = output_tail.take();
  result.error = error_tail.take();
  return result;
}

void replace_process(const std::filesystem::path& program,
                     const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {program.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  execv(program.c_str(), pointers(all).data());
  throw IoError("start", program, errno);
}

}  // namespace grapnel
