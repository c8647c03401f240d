#include "windows_access.h"

#include <grapnel/base/error.h>

#include <aclapi.h>
#include <sddl.h>

#include <vector>

namespace grapnel::detail {
namespace {

constexpr ACCESS_MASK writes = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES |
                               FILE_WRITE_EA | DELETE | FILE_DELETE_CHILD | WRITE_DAC |
                               WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL;

// This user's own security identifier, in a buffer.
std::vector<std::byte> current_user() {
  Handle token;
  DWORD size = 0;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, token.out())) return {};
  GetTokenInformation(token.get(), TokenUser, nullptr, 0, &size);
  std::vector<std::byte> buffer(size);
  if (!GetTokenInformation(token.get(), TokenUser, buffer.data(), size, &size)) return {};
  return buffer;
}

bool is_trusted(PSID who) {
  if (IsWellKnownSid(who, WinBuiltinAdministratorsSid) || IsWellKnownSid(who, WinLocalSystemSid) ||
      IsWellKnownSid(who, WinCreatorOwnerSid) || IsWellKnownSid(who, WinCreatorOwnerRightsSid)) {
    return true;
  }
  static const std::vector<std::byte> user = current_user();
  return !user.empty() && EqualSid(who, reinterpret_cast<const TOKEN_USER*>(user.data())->User.Sid);
}

bool grants_write_to_others(PACL list) {
  if (list == nullptr) return true;  // no list: everybody may do everything
  for (DWORD i = 0; i < list->AceCount; ++i) {
    void* entry = nullptr;
    if (!GetAce(list, i, &entry)) return true;
    const auto* header = static_cast<const ACE_HEADER*>(entry);
    if (header->AceType != ACCESS_ALLOWED_ACE_TYPE) continue;
    if ((header->AceFlags & INHERIT_ONLY_ACE) != 0) continue;
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    if ((allowed->Mask & writes) != 0 && !is_trusted(&allowed->SidStart)) return true;
  }
  return false;
}

}  // namespace

FileAccessFacts access_facts(HANDLE file) {
  PSID owner = nullptr;
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD failure =
      GetSecurityInfo(file, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                      &owner, nullptr, &list, nullptr, &descriptor);
  if (failure != ERROR_SUCCESS) return {false, true};
  const FileAccessFacts facts{owner != nullptr && is_trusted(owner), grants_write_to_others(list)};
  LocalFree(descriptor);
  return facts;
}

PrivateAccess::PrivateAccess() {
  attributes_.nLength = sizeof attributes_;
  const wchar_t* text = L"D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
          text, SDDL_REVISION_1, &attributes_.lpSecurityDescriptor, nullptr)) {
    throw Error("cannot describe private access rights to the system");
  }
}

PrivateAccess::~PrivateAccess() {
  LocalFree(attributes_.lpSecurityDescriptor);
}

}  // namespace grapnel::detail
