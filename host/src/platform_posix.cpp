// platform.h on Linux and macOS.
#include "platform.h"

#include <fcntl.h>
#include <grp.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>

#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>
#include <grapnel/host/this_process.h>

#if defined(__linux__)
#include <sys/xattr.h>
#endif

extern char** environ;

namespace grapnel::host {
namespace {

// "Umask:\t0022" of /proc/self/status, Linux 4.7 or newer; nullopt elsewhere.
std::optional<unsigned> umask_of_status() {
  const int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (status < 0) return std::nullopt;
  std::array<char, 256> start{};  // it is the second line
  const ssize_t size = read(status, start.data(), start.size());
  close(status);
  const std::string_view text(start.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  constexpr std::string_view key = "\nUmask:\t";
  const std::size_t found = text.find(key);
  if (found == text.npos) return std::nullopt;
  unsigned mask = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + found + key.size(), end, mask, 8);
  return result.ec == std::errc() && result.ptr != end && *result.ptr == '\n'
             ? std::optional<unsigned>(mask)
             : std::nullopt;
}

// The calling user's private group, or 0 when there is none. Looked up once: the answer may come
// from the network.
gid_t find_private_group() {
  const uid_t user = geteuid();
  if (user == 0) return 0;
  std::vector<char> user_buffer(16384), group_buffer(65536);
  passwd user_entry{};
  passwd* found_user = nullptr;
  getpwuid_r(user, &user_entry, user_buffer.data(), user_buffer.size(), &found_user);
  if (found_user == nullptr || user_entry.pw_gid == 0) return 0;
  group group_entry{};
  group* found_group = nullptr;
  getgrgid_r(user_entry.pw_gid, &group_entry, group_buffer.data(), group_buffer.size(),
             &found_group);
  if (found_group == nullptr) return 0;
  const std::string_view name = user_entry.pw_name;
  if (name != group_entry.gr_name) return 0;
  for (char** member = group_entry.gr_mem; *member != nullptr; ++member) {
    if (name != *member) return 0;
  }
  return user_entry.pw_gid;
}

// Under an access control list the group's bits are the mask of all its entries.
bool may_have_access_list([[maybe_unused]] const std::filesystem::path& path) {
#if defined(__linux__)
  return lgetxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) >= 0;
#else
  return true;  // macOS keeps them elsewhere
#endif
}

}  // namespace

std::string environment_text() {
  std::string text;
  text.reserve(4096);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    text.append(*entry).push_back('\0');
  }
  return text;
}

void set_environment_variable(const std::string& name, const std::string& value) {
  setenv(name.c_str(), value.c_str(), 1);
}

void unset_environment_variable(const std::string& name) {
  unsetenv(name.c_str());
}

unsigned read_umask() {
  if (const auto mask = umask_of_status()) return *mask;
  // Elsewhere it can only be read by setting it, for the whole process: files that other threads
  // create meanwhile are private.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const mode_t mask = umask(077);
  umask(mask);
  return mask;
}

void set_umask(unsigned mask) {
  umask(static_cast<mode_t>(mask));
}

void open_missing_streams() noexcept {
  // The lowest free number is what open() returns: that of the stream.
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF) {
      (void)open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    }
  }
}

namespace {

int own_output = STDOUT_FILENO;
bool output_is_terminal = false;
std::optional<int> output_width;

}  // namespace

void OwnOutput::claim() noexcept {
  if (own_output != STDOUT_FILENO) return;
  output_is_terminal = grapnel::is_terminal(Stream::output);
  output_width = grapnel::terminal_width(Stream::output);
  std::fflush(stdout);
  constexpr int beyond_streams = 10;  // a number that no plugin takes for a stream
  const int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, beyond_streams);
  if (kept < 0) return;
  if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    close(kept);
    return;
  }
  own_output = kept;
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // in the order of what is written to stderr
}

bool OwnOutput::write(std::string_view text) noexcept {
  if (own_output == STDOUT_FILENO) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
  }
  std::fflush(stdout);
  while (!text.empty()) {
    const ssize_t count = ::write(own_output, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool OwnOutput::is_terminal() noexcept {
  return own_output == STDOUT_FILENO ? grapnel::is_terminal(Stream::output) : output_is_terminal;
}

std::optional<int> OwnOutput::terminal_width() noexcept {
  return own_output == STDOUT_FILENO ? grapnel::terminal_width(Stream::output) : output_width;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "this machine";
  return name.data();
}

void* thread_locale() noexcept {
  return uselocale(locale_t{});
}

void use_thread_locale(void* locale) noexcept {
  uselocale(static_cast<locale_t>(locale));
}

std::vector<int> blocked_signals() {
  sigset_t blocked;
  sigemptyset(&blocked);
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  std::vector<int> signals;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&blocked, signal) == 1) signals.push_back(signal);
  }
  return signals;
}

void block_exactly(const std::vector<int>& signals) {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : signals) sigaddset(&blocked, signal);
  pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

namespace {

constexpr int kSignalsOfARun[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGABRT, SIGBUS,
                                  SIGFPE,  SIGUSR1, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM,
                                  SIGCHLD, SIGTSTP, SIGXCPU, SIGXFSZ};

}  // namespace

namespace {

struct Limit {
  const char* name;
  decltype(RLIMIT_NOFILE) number;
};
constexpr Limit kLimits[] = {
    {"the limit of open files", RLIMIT_NOFILE}, {"the limit of a file's size", RLIMIT_FSIZE},
    {"the limit of memory", RLIMIT_AS},         {"the limit of data memory", RLIMIT_DATA},
    {"the limit of the stack", RLIMIT_STACK},   {"the limit of locked memory", RLIMIT_MEMLOCK},
    {"the limit of processes", RLIMIT_NPROC},   {"the limit of CPU time", RLIMIT_CPU}};

struct StreamOf {
  struct stat info {};
  bool is_open = false;
  explicit StreamOf(int number) : is_open(fstat(number, &info) == 0) {}
  bool operator==(const StreamOf& other) const {
    return is_open == other.is_open &&
           (!is_open || (info.st_dev == other.info.st_dev && info.st_ino == other.info.st_ino));
  }
};

constexpr const char* kStreamNames[] = {"standard input", "standard output", "standard error"};

}  // namespace

std::map<std::string, std::uint64_t> read_limits() {
  std::map<std::string, std::uint64_t> limits;
  for (const Limit& each : kLimits) {
    rlimit limit{};
    if (getrlimit(each.number, &limit) == 0) limits[each.name] = limit.rlim_cur;
  }
  return limits;
}

void set_limit(const std::string& name, std::uint64_t value) {
  for (const Limit& each : kLimits) {
    rlimit limit{};
    if (name != each.name || getrlimit(each.number, &limit) != 0) continue;
    limit.rlim_cur = std::min(static_cast<rlim_t>(value), limit.rlim_max);
    setrlimit(each.number, &limit);
  }
}

struct StandardStreams::Kept {
  std::array<int, 3> copies{-1, -1, -1};
};

StandardStreams::StandardStreams() : kept_(std::make_unique<Kept>()) {
  constexpr int beyond_streams = 10;
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    kept_->copies[static_cast<std::size_t>(stream)] =
        fcntl(stream, F_DUPFD_CLOEXEC, beyond_streams);
  }
}

StandardStreams::~StandardStreams() {
  for (const int copy : kept_->copies) {
    if (copy >= 0) close(copy);
  }
}

std::vector<std::string> StandardStreams::restore() {
  std::vector<std::string> changed;
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    const int copy = kept_->copies[static_cast<std::size_t>(stream)];
    if (copy < 0 || StreamOf(stream) == StreamOf(copy)) continue;
    if (dup2(copy, stream) >= 0) changed.emplace_back(kStreamNames[stream]);
  }
  return changed;
}

struct SignalHandlers::Table {
  std::vector<int> signals;
  std::array<struct sigaction, NSIG> handlers{};
};

SignalHandlers::SignalHandlers(Which which) : table_(std::make_unique<Table>()) {
  std::vector<int>& signals = table_->signals;
  if (which == Which::of_a_run) {
    signals.assign(std::begin(kSignalsOfARun), std::end(kSignalsOfARun));
    std::sort(signals.begin(), signals.end());
  } else {
    for (int signal = 1; signal < NSIG; ++signal) signals.push_back(signal);
  }
  for (const int signal : signals) sigaction(signal, nullptr, &table_->handlers[signal]);
}

SignalHandlers::~SignalHandlers() = default;

std::vector<int> SignalHandlers::differing(const SignalHandlers& other) const {
  std::vector<int> signals;
  const bool has_fewer = table_->signals.size() < other.table_->signals.size();
  for (const int signal : has_fewer ? table_->signals : other.table_->signals) {
    // sa_handler and sa_sigaction share memory. Flags have no meaning without a function, and the C
    // library adds one when it restores a default.
    const auto &a = table_->handlers[signal], &b = other.table_->handlers[signal];
    const bool is_function = a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN;
    if (a.sa_handler != b.sa_handler || (is_function && a.sa_flags != b.sa_flags)) {
      signals.push_back(signal);
    }
  }
  return signals;
}

void SignalHandlers::install(int signal) const {
  sigaction(signal, &table_->handlers[signal], nullptr);
}

#if defined(__linux__)

bool can_sync_file_system() noexcept {
  return true;
}

void sync_file_system(const std::filesystem::path& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) throw IoError("open", directory, errno);
  const int failure = syncfs(file) == 0 ? 0 : errno;
  close(file);
  if (failure != 0) throw IoError("write to", directory, failure);
}

#else

bool can_sync_file_system() noexcept {
  return false;
}

void sync_file_system(const std::filesystem::path&) {}

#endif

bool is_own_group_only(const std::filesystem::path& path) {
  static const gid_t private_group = find_private_group();
  struct stat status {};
  if (private_group == 0 || lstat(path.c_str(), &status) != 0) return false;
  if (status.st_gid != private_group || (status.st_mode & S_IWOTH) != 0) return false;
  return !may_have_access_list(path);
}

}  // namespace grapnel::host
