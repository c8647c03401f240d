// Failures on the plugin's side of the boundary.
//
// A hook may throw whatever it likes: nothing leaves the plugin. The functions that the host calls catch
// everything and answer a status; the host then fails the run, or disables the plugin, as its user chose.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>

#if defined(__has_include)
#if __has_include(<cxxabi.h>)
#include <cxxabi.h>

#include <cstdlib>
#define GRAPNEL_PLUGIN_HAS_CXXABI 1
#endif
#endif

#include <grapnel/abi.h>
#include <grapnel/plugin/config.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// Something that the plugin asked for is not possible: an extension that this host lacks, a request in
/// the wrong hook, a parameter of another type than plugin.json declares.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A service of the host failed; the host keeps the reason (an operator refused its arguments, say). Let
/// it pass and the host rethrows its own exception. Not a std::exception, so that a
/// catch (const std::exception&) meant for the plugin's own failures does not swallow it.
struct HostFailure final {};

namespace detail {

inline grapnel_string to_abi(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline std::string_view from_abi(grapnel_string text) noexcept {
  return {text.data, static_cast<std::size_t>(text.size)};
}

[[noreturn]] inline void fail_call(std::int32_t status, std::string_view what) {
  if (status == GRAPNEL_PENDING) throw HostFailure{};
  std::string text(what);
  switch (status) {
    case GRAPNEL_NOT_FOUND:
      text += ": there is none";
      break;
    case GRAPNEL_NOT_NOW:
      text += ": not possible in this hook";
      break;
    case GRAPNEL_INVALID_ARGUMENT:
      text += ": the host rejects the arguments; see its log";
      break;
    default:
      text += ": the host answered status " + std::to_string(status);
      break;
  }
  throw Error(text);
}

/// Turns a status into an exception. what: for people, what was tried.
inline void check(std::int32_t status, std::string_view what) {
  if (status != GRAPNEL_OK) fail_call(status, what);
}

/// As check, but false where the host says that there is none.
inline bool check_found(std::int32_t status, std::string_view what) {
  if (status == GRAPNEL_NOT_FOUND) return false;
  check(status, what);
  return true;
}

#if defined(GRAPNEL_PLUGIN_HAS_CXXABI)
inline std::string type_name(const std::type_info& type) {
  int status = 0;
  char* readable = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = readable != nullptr ? readable : type.name();
  std::free(readable);
  return name;
}
inline std::string current_type_name() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type != nullptr ? type_name(*type) : "a foreign exception";
}
#else
inline std::string type_name(const std::type_info& type) {
  return type.name();
}
inline std::string current_type_name() {
  return "an exception that is not a std::exception";
}
#endif

/// For the catch (...) around everything that the host calls: the running exception's text goes to the
/// host, its status is the answer.
inline std::int32_t caught(const grapnel_host* host) noexcept {
  const auto tell = [host](std::string_view text) { host->fail(host, to_abi(text)); };
  try {
    try {
      throw;
    } catch (const HostFailure&) {
      return GRAPNEL_PENDING;
    } catch (const Error& error) {
      tell(error.what());
    } catch (const std::exception& error) {
#if defined(__cpp_rtti) || defined(_CPPRTTI)
      tell(type_name(typeid(error)) + ": " + error.what());
#else
      tell(error.what());
#endif
    } catch (...) {
      tell(current_type_name());
    }
  } catch (...) {
    tell("an exception, and no memory left to say which");
  }
  return GRAPNEL_ERROR;
}

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
