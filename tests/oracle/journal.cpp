#include "journal.h"

#include <grapnel/base/error.h>
#include <grapnel/trainer.h>

#include <csignal>

namespace grapnel::oracle {

std::optional<Json> Journal::enter(std::string_view who, std::string_view hook,
                                   std::string_view arguments) {
  const std::string place = std::string(who) + "." + std::string(hook);
  trace_.push_back(place + "(" + std::string(arguments) + ")");
  const std::int64_t nth = entered_[place]++;

  std::optional<Json> result;
  for (const Json& action : items(get(test_.document, "script"))) {
    if (action.at("at").as_string() != place) continue;
    if (const Json* wanted = action.find("nth"); wanted != nullptr && wanted->as_int() != nth) {
      continue;
    }
    const std::string& what = action.at("do").as_string();
    if (what == "raise") {
      raise(action);
    } else if (what == "should_stop") {
      trainer->set_should_stop(true);
    } else if (what == "save_checkpoint") {
      trainer->save_checkpoint(action.at("path").as_string());
    } else if (what == "return") {
      result = action.at("value");
    } else {
      throw Error("this runner knows no script action '" + what + "'");
    }
  }
  return result;
}

void Journal::raise(const Json& action) const {
  const std::string type = text_or(action, "exc", "RuntimeError");
  const std::string message = text_or(action, "msg", "scripted");
  if (type == "RuntimeError") throw RuntimeError(message);
  if (type == "ValueError") throw ValueError(message);
  if (type == "KeyboardInterrupt") throw Interrupted(SIGINT);
  if (type == "SystemExit") throw SystemExit(message);
  throw Error("this runner cannot raise a '" + type + "'");
}

void Journal::tick(std::string_view step) {
  if (const Json* seconds = get(test_.document, "clock").find(step)) {
    clock_.advance(seconds->as_double());
  }
}

}  // namespace grapnel::oracle
