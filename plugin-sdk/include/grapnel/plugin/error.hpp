// Failures on the plugin's side of the boundary.
//
// A hook may throw anything: no exception leaves the plugin. The functions that the host calls
// catch everything and return a status; the host then fails the run, or disables the plugin, as the
// user chose.
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

/// A request of the plugin that is not possible: an extension that this host lacks, a request in
/// the wrong hook, a parameter of another type than plugin.json declares.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// This host is too old for what the plugin asks of it, or offers less than others: do without, or
/// let it propagate.
class Unsupported : public Error {
 public:
  using Error::Error;
};

/// A service of the host failed; the host keeps the reason (such as an operator that refused its
/// arguments). Let it propagate, and the host rethrows its own exception. Not a std::exception, so
/// that a catch (const std::exception&) meant for the plugin's own failures does not swallow it.
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
    case GRAPNEL_WRONG_THREAD:
      text += ": possible only on the thread that called this plugin, while it does";
      break;
    case GRAPNEL_UNSUPPORTED:
      throw Unsupported(text + ": this host or its LibTorch doesn't know it; see its log");
    case GRAPNEL_INVALID_ARGUMENT:
      text += ": the host rejects the arguments; see its log";
      break;
    default:
      text += ": the host answered status " + std::to_string(status);
      break;
  }
  throw Error(text);
}

/// Turns a status into an exception. what: the attempted operation, for people.
inline void check(std::int32_t status, std::string_view what) {
  if (status != GRAPNEL_OK) fail_call(status, what);
}

/// Like check, but returns false for GRAPNEL_NOT_FOUND.
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

/// For the catch (...) around everything that the host calls: reports the current exception's text
/// to the host and returns its status.
inline std::int32_t caught(const grapnel_host* host) noexcept {
  const auto report = [host](std::string_view text) { host->fail(host, to_abi(text)); };
  try {
    try {
      throw;
    } catch (const HostFailure&) {
      return GRAPNEL_PENDING;
    } catch (const Error& error) {
      report(error.what());
    } catch (const std::exception& error) {
#if defined(__cpp_rtti) || defined(_CPPRTTI)
      report(type_name(typeid(error)) + ": " + error.what());
#else
      report(error.what());
#endif
    } catch (...) {
      report(current_type_name());
    }
  } catch (...) {
    report("an exception, with no memory left to describe it");
  }
  return GRAPNEL_ERROR;
}

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
