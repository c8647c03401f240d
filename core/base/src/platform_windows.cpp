// platform.h on Windows: directories, terminals, files. Locks and mappings: file_views_windows.cpp.
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "windows_access.h"
#include "windows_error.h"

namespace grapnel {
namespace {

using detail::Handle;
using detail::last_errno;

constexpr DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

std::filesystem::path folder(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || value[0] == '\0') {
    throw Error(std::string("this user has no directory for settings; set ") + variable);
  }
  return std::filesystem::path(value) / "grapnel";
}

DWORD standard_handle(Stream stream) noexcept {
  switch (stream) {
    case Stream::input:
      return STD_INPUT_HANDLE;
    case Stream::output:
      return STD_OUTPUT_HANDLE;
    case Stream::error:
      return STD_ERROR_HANDLE;
  }
  return STD_ERROR_HANDLE;
}

// From 100 ns since 1601 to ns since 1970.
std::int64_t unix_ns(LARGE_INTEGER time) noexcept {
  return (time.QuadPart - 116'444'736'000'000'000) * 100;
}

HANDLE as_handle(std::intptr_t handle) noexcept {
  return reinterpret_cast<HANDLE>(handle);
}

FileIdentity identity_of(HANDLE file, const std::filesystem::path& path) {
  FILE_BASIC_INFO basic{};
  FILE_STANDARD_INFO standard{};
  FILE_ID_INFO id{};
  FileIdentity identity;
  if (GetFileType(file) != FILE_TYPE_DISK) return identity;  // a pipe or a device
  if (!GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof basic) ||
      !GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof standard) ||
      !GetFileInformationByHandleEx(file, FileIdInfo, &id, sizeof id)) {
    throw IoError("look at", path, last_errno());
  }
  identity.device = id.VolumeSerialNumber;
  for (std::size_t i = 0; i < 16; ++i) {
    identity.inode ^= static_cast<std::uint64_t>(id.FileId.Identifier[i]) << (8 * (i % 8));
  }
  identity.size = static_cast<std::uint64_t>(standard.EndOfFile.QuadPart);
  identity.modified_ns = unix_ns(basic.LastWriteTime);
  identity.changed_ns = unix_ns(basic.ChangeTime);
  if ((basic.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    identity.kind = FileKind::symbolic_link;
  } else {
    identity.kind = standard.Directory ? FileKind::directory : FileKind::regular;
  }
  const detail::FileAccessFacts access = detail::access_facts(file);
  identity.owner = access.owned_by_us ? 0 : 1;
  identity.owned_by_us = access.owned_by_us;
  identity.writable_by_others = access.writable_by_others;
  return identity;
}

DWORD link_flag(Links links) noexcept {
  return links == Links::refuse ? FILE_FLAG_OPEN_REPARSE_POINT : 0;
}

}  // namespace

std::filesystem::path user_config_directory() {
  return folder("APPDATA");
}
std::filesystem::path user_data_directory() {
  return folder("LOCALAPPDATA");
}
std::filesystem::path user_cache_directory() {
  return folder("LOCALAPPDATA") / "cache";
}

std::filesystem::path executable_path() {
  std::wstring buffer(MAX_PATH, L'\0');
  for (;;) {
    const DWORD size =
        GetModuleFileNameW(nullptr, buffer.data(), static_cast<DWORD>(buffer.size()));
    if (size == 0) throw IoError("find the file of", "this program", last_errno());
    if (size < buffer.size()) return std::filesystem::canonical(buffer.substr(0, size));
    buffer.resize(buffer.size() * 2);
  }
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

char path_list_separator() noexcept {
  return ';';
}
std::string_view shared_library_suffix() noexcept {
  return ".dll";
}

bool is_terminal(Stream stream) noexcept {
  DWORD mode = 0;
  return GetConsoleMode(GetStdHandle(standard_handle(stream)), &mode) != 0;
}

std::optional<int> terminal_width(Stream stream) noexcept {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (!GetConsoleScreenBufferInfo(GetStdHandle(standard_handle(stream)), &info))
    return std::nullopt;
  return info.srWindow.Right - info.srWindow.Left + 1;
}

std::optional<FileIdentity> file_identity(const std::filesystem::path& path, Links links) {
  const Handle file(CreateFileW(path.c_str(), FILE_READ_ATTRIBUTES | READ_CONTROL, share_all,
                                nullptr, OPEN_EXISTING,
                                FILE_FLAG_BACKUP_SEMANTICS | link_flag(links), nullptr));
  if (file.is_open()) return identity_of(file.get(), path);
  const DWORD failure = GetLastError();
  if (failure == ERROR_FILE_NOT_FOUND || failure == ERROR_PATH_NOT_FOUND ||
      failure == ERROR_INVALID_NAME) {
    return std::nullopt;
  }
  throw IoError("look at", path, detail::errno_of(failure));
}

File::File(std::filesystem::path path, std::intptr_t handle) noexcept
    : path_(std::move(path)), handle_(handle) {}

File File::open(const std::filesystem::path& path, OpenMode mode, Links links) {
  DWORD access = GENERIC_WRITE | READ_CONTROL;
  DWORD disposition = CREATE_NEW;
  if (mode == OpenMode::read) {
    access = GENERIC_READ;
    disposition = OPEN_EXISTING;
  } else if (mode == OpenMode::read_write) {
    access |= GENERIC_READ;
    disposition = OPEN_ALWAYS;
  }
  std::optional<detail::PrivateAccess> only_us;
  if (mode == OpenMode::create_private) only_us.emplace();
  HANDLE handle =
      CreateFileW(path.c_str(), access, share_all, only_us ? only_us->get() : nullptr, disposition,
                  FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS | link_flag(links), nullptr);
  if (handle == INVALID_HANDLE_VALUE) {
    throw IoError(mode == OpenMode::read ? "open" : "create", path, last_errno());
  }
  File file(path, reinterpret_cast<std::intptr_t>(handle));
  if (links == Links::refuse && file.identity().kind == FileKind::symbolic_link) {
    throw IoError("open", path, ELOOP, "symbolic links are not followed here");
  }
  return file;
}

File::~File() {
  if (handle_ != -1) CloseHandle(as_handle(handle_));
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(handle_, other.handle_);
  return *this;
}

FileIdentity File::identity() const {
  return identity_of(as_handle(handle_), path_);
}

std::size_t File::read(std::span<std::byte> bytes) {
  DWORD count = 0;
  const auto size = static_cast<DWORD>(std::min<std::size_t>(bytes.size(), 1U << 30));
  if (!ReadFile(as_handle(handle_), bytes.data(), size, &count, nullptr)) {
    throw IoError("read", path_, last_errno());
  }
  return count;
}

std::size_t File::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  OVERLAPPED where{};
  where.Offset = static_cast<DWORD>(offset);
  where.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD count = 0;
  const auto size = static_cast<DWORD>(std::min<std::size_t>(bytes.size(), 1U << 30));
  if (!ReadFile(as_handle(handle_), bytes.data(), size, &count, &where) &&
      GetLastError() != ERROR_HANDLE_EOF) {
    throw IoError("read", path_, last_errno());
  }
  return count;
}

void File::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    DWORD count = 0;
    const auto size = static_cast<DWORD>(std::min<std::size_t>(bytes.size(), 1U << 30));
    if (!WriteFile(as_handle(handle_), bytes.data(), size, &count, nullptr)) {
      throw IoError("write to", path_, last_errno());
    }
    bytes = bytes.subspan(count);
  }
}

void File::start_sync(std::uint64_t, std::uint64_t) noexcept {}

void File::sync() {
  if (!FlushFileBuffers(as_handle(handle_))) throw IoError("write to disk", path_, last_errno());
}

void File::close() {
  const std::intptr_t handle = std::exchange(handle_, -1);
  if (handle != -1 && !CloseHandle(as_handle(handle))) throw IoError("close", path_, last_errno());
}

// MOVEFILE_WRITE_THROUGH below has done it.
void sync_directory(const std::filesystem::path&) {}

void replace_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (!MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
    throw IoError("replace", to, last_errno(), "the new content is in '" + from.string() + "'");
  }
}

bool create_private_directory(const std::filesystem::path& path) {
  detail::PrivateAccess only_us;
  if (CreateDirectoryW(path.c_str(), only_us.get())) return true;
  if (GetLastError() == ERROR_ALREADY_EXISTS) return false;
  throw IoError("create the directory", path, last_errno());
}

}  // namespace grapnel
