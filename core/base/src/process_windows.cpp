// process.h on Windows, by CreateProcess() in a job object that ends with its last handle.
#include <grapnel/base/clock.h>
#include <grapnel/base/error.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <thread>

#include "output_tail.h"
#include "windows_error.h"

namespace grapnel {
namespace {

using detail::Handle;
using detail::last_errno;

constexpr DWORD first_exception_code = 0xC000'0000;

std::wstring widen(const std::string& text) {
  return std::filesystem::path(text).wstring();
}

// As the C runtime takes command lines apart: quotes, and backslashes before quotes doubled.
std::wstring quoted(const std::wstring& argument) {
  std::wstring out = L"\"";
  std::size_t backslashes = 0;
  for (const wchar_t c : argument) {
    if (c == L'"') out.append(backslashes + 1, L'\\');
    backslashes = c == L'\\' ? backslashes + 1 : 0;
    out += c;
  }
  out.append(backslashes, L'\\');
  return out + L"\"";
}

std::wstring command_line(const std::filesystem::path& program,
                          const std::vector<std::string>& arguments) {
  std::wstring line = quoted(program.wstring());
  for (const std::string& argument : arguments) line += L" " + quoted(widen(argument));
  return line;
}

std::wstring environment_block(const std::vector<std::pair<std::string, std::string>>& changes) {
  const auto lower = [](std::wstring name) {
    std::transform(name.begin(), name.end(), name.begin(), [](wchar_t c) { return towlower(c); });
    return name;
  };
  std::map<std::wstring, std::wstring> entries;  // names in any case are one, and must be sorted
  wchar_t* all = GetEnvironmentStringsW();
  for (const wchar_t* entry = all; *entry != L'\0'; entry += wcslen(entry) + 1) {
    const std::wstring text(entry);
    entries[lower(text.substr(0, text.find(L'=', 1)))] = text;
  }
  FreeEnvironmentStringsW(all);
  for (const auto& [name, value] : changes) {
    entries[lower(widen(name))] = widen(name) + L"=" + widen(value);
  }
  std::wstring block;
  for (const auto& [name, text] : entries) block += text + L'\0';
  return block + L'\0';
}

// The child's end can be inherited, ours cannot.
struct Pipe {
  Handle ours;
  Handle childs;

  Pipe() {
    SECURITY_ATTRIBUTES inherit{sizeof inherit, nullptr, TRUE};
    if (!CreatePipe(ours.out(), childs.out(), &inherit, 0) ||
        !SetHandleInformation(ours.get(), HANDLE_FLAG_INHERIT, 0)) {
      throw IoError("create", "a pipe", last_errno());
    }
  }

  void drain(OutputTail& into) const {
    std::array<char, 65536> buffer;
    DWORD count = 0;
    while (ReadFile(ours.get(), buffer.data(), buffer.size(), &count, nullptr) && count > 0) {
      into.append({buffer.data(), count});
    }
  }
};

// Names the only handles that a child inherits.
class InheritedHandles {
 public:
  explicit InheritedHandles(std::array<HANDLE, 3> handles) : handles_(handles) {
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    buffer_.resize(size);
    if (!InitializeProcThreadAttributeList(list(), 1, 0, &size) ||
        !UpdateProcThreadAttribute(list(), 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles_.data(),
                                   sizeof handles_, nullptr, nullptr)) {
      throw IoError("prepare", "a child process", last_errno());
    }
  }
  ~InheritedHandles() { DeleteProcThreadAttributeList(list()); }
  InheritedHandles(const InheritedHandles&) = delete;
  InheritedHandles& operator=(const InheritedHandles&) = delete;
  LPPROC_THREAD_ATTRIBUTE_LIST list() {
    return reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(buffer_.data());
  }

 private:
  std::array<HANDLE, 3> handles_;
  std::vector<std::byte> buffer_;
};

void make_job(Handle& job) {
  *job.out() = CreateJobObjectW(nullptr, nullptr);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags =
      JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
  if (!job.is_open() || !SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation,
                                                 &limits, sizeof limits)) {
    throw IoError("create", "a job for a child process", last_errno());
  }
}

}  // namespace

std::int64_t process_id() noexcept {
  return GetCurrentProcessId();
}

void lower_thread_priority() noexcept {
  SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
}

bool process_exists(std::int64_t id) noexcept {
  if (id <= 0 || id > std::numeric_limits<DWORD>::max()) return false;
  const Handle process(
      OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(id)));
  if (!process.is_open()) return GetLastError() == ERROR_ACCESS_DENIED;
  DWORD code = 0;
  return GetExitCodeProcess(process.get(), &code) && code == STILL_ACTIVE;
}

std::string signal_name(int signal_number) {
  switch (static_cast<DWORD>(signal_number)) {
    case 2:
      return "SIGINT";
    case 15:
      return "SIGTERM";
    case 22:
      return "SIGABRT";
    case EXCEPTION_ACCESS_VIOLATION:
      return "an access violation";
    case EXCEPTION_STACK_OVERFLOW:
      return "a stack overflow";
    case EXCEPTION_ILLEGAL_INSTRUCTION:
      return "an illegal instruction";
    case EXCEPTION_INT_DIVIDE_BY_ZERO:
      return "a division by zero";
    default:
      return "signal " + std::to_string(signal_number);
  }
}

ProcessResult run_process(const ProcessOptions& options) {
  const double start = system_clock().now();
  Pipe output;
  Pipe error;
  SECURITY_ATTRIBUTES inherit{sizeof inherit, nullptr, TRUE};
  Handle input(CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                           OPEN_EXISTING, 0, nullptr));
  Handle job;
  make_job(job);
  InheritedHandles inherited({input.get(), output.childs.get(), error.childs.get()});
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = input.get();
  startup.StartupInfo.hStdOutput = output.childs.get();
  startup.StartupInfo.hStdError = error.childs.get();
  startup.lpAttributeList = inherited.list();
  const std::filesystem::path program = std::filesystem::absolute(options.program);
  std::wstring line = command_line(program, options.arguments);
  std::wstring block = environment_block(options.environment);
  PROCESS_INFORMATION made{};
  const DWORD flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | CREATE_SUSPENDED |
                      CREATE_NO_WINDOW;
  if (!CreateProcessW(
          program.c_str(), line.data(), nullptr, nullptr, TRUE, flags, block.data(),
          options.working_directory.empty() ? nullptr : options.working_directory.c_str(),
          &startup.StartupInfo, &made)) {
    throw IoError("start", options.program, last_errno());
  }
  const Handle child(made.hProcess);
  const Handle main_thread(made.hThread);
  AssignProcessToJobObject(job.get(), child.get());
  ResumeThread(main_thread.get());
  output.childs.reset();
  error.childs.reset();

  OutputTail output_tail(options.max_output_bytes);
  OutputTail error_tail(options.max_output_bytes);
  std::thread output_reader([&] { output.drain(output_tail); });
  std::thread error_reader([&] { error.drain(error_tail); });
  const auto wait_ms = static_cast<DWORD>(std::clamp(options.deadline_seconds * 1000, 0.0, 4e9));
  const bool timed_out = WaitForSingleObject(child.get(), wait_ms) == WAIT_TIMEOUT;
  if (timed_out) TerminateJobObject(job.get(), 1);
  WaitForSingleObject(child.get(), INFINITE);
  DWORD code = 1;
  GetExitCodeProcess(child.get(), &code);
  job.reset();  // ends the descendants that still hold the streams
  output_reader.join();
  error_reader.join();

  ProcessResult result;
  if (timed_out) {
    result.end = ProcessResult::End::timed_out;
  } else if (code >= first_exception_code) {
    result.end = ProcessResult::End::signalled;
    result.signal_number = static_cast<int>(code);
  } else {
    result.exit_code = static_cast<int>(code);
  }
  result.seconds = system_clock().now() - start;
  result.output_cut = output_tail.was_cut();
  result.error_cut = error_tail.was_cut();
  result.output = output_tail.take();
  result.error = error_tail.take();
  return result;
}

void replace_process(const std::filesystem::path& program,
                     const std::vector<std::string>& arguments) {
  std::wstring line = command_line(program, arguments);
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION made{};
  if (!CreateProcessW(program.c_str(), line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr,
                      &startup, &made)) {
    throw IoError("start", program, last_errno());
  }
  // The console sends Ctrl+C to both; the child decides what it means.
  SetConsoleCtrlHandler(nullptr, TRUE);
  WaitForSingleObject(made.hProcess, INFINITE);
  DWORD code = 1;
  GetExitCodeProcess(made.hProcess, &code);
  ExitProcess(code);
}

}  // namespace grapnel
