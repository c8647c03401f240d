// One HTTP POST through libcurl, which another thread can cancel.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace http {

struct Answer {
  long status = 0;    // of HTTP; 0: there was none
  std::string error;  // why there was none

  bool delivered() const { return status >= 200 && status < 300; }
  /// The server won't take it later either.
  bool refused() const {
    return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
  }
  std::string in_words() const {
    return status == 0 ? error : "the server answered HTTP " + std::to_string(status);
  }
};

/// Why libcurl can't ever request the URL, such as a port above 65535; empty: it can.
inline std::string fault_of(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parts(curl_url(), curl_url_cleanup);
  if (parts == nullptr) return "there is no memory for it";
  const CURLUcode code = curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0);
  return code == CURLUE_OK ? "" : curl_url_strerror(code);
}

/// Not thread-safe, but for cancel().
class Client {
 public:
  /// header: lines, without line breaks. timeout: seconds of one request. Throws std::runtime_error.
  Client(const std::string& url, const std::vector<std::string>& header, double timeout) {
    static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (global == CURLE_OK) curl_.reset(curl_easy_init());
    if (curl_ == nullptr) throw std::runtime_error("libcurl can't be used");
    for (const std::string& line : header) add(line);
    add("Content-Type: application/x-ndjson");
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);  // signals are the training's
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout * 1000) + 1);
    set(CURLOPT_ERRORBUFFER, error_);
    set(CURLOPT_WRITEFUNCTION, &ignore);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &is_cancelled);
    set(CURLOPT_XFERINFODATA, this);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// line: one more of the header.
  Answer post(const std::string& body, const std::string& line) {
    curl_slist own{const_cast<char*>(line.c_str()), header_.get()};
    Answer answer;
    try {
      set(CURLOPT_HTTPHEADER, &own);
      set(CURLOPT_POSTFIELDS, body.data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    } catch (const std::runtime_error& error) {
      answer.error = error.what();
      return answer;
    }
    error_[0] = '\0';
    const CURLcode code = curl_easy_perform(curl_.get());
    if (code == CURLE_OK) {
      curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    } else {
      answer.error = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    }
    return answer;
  }

  /// Ends the running request, and all later ones at once. [any-thread]
  void cancel() noexcept { cancelled_ = true; }

 private:
  void add(const std::string& line) {
    curl_slist* longer = curl_slist_append(header_.get(), line.c_str());
    if (longer == nullptr) throw std::runtime_error("no memory for the header of a request");
    header_.release();
    header_.reset(longer);
  }
  template <class Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(curl_.get(), option, value);
    if (code == CURLE_OK) return;
    const curl_easyoption* known = curl_easy_option_by_id(option);
    throw std::runtime_error("libcurl refuses its option " +
                             std::string(known != nullptr ? known->name : "?") + ": " +
                             curl_easy_strerror(code));
  }
  static std::size_t ignore(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
  }
  static int is_cancelled(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Client*>(self)->cancelled_ ? 1 : 0;
  }

  struct Free {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  std::unique_ptr<curl_slist, Free> header_;  // which the handle refers to
  std::unique_ptr<CURL, Free> curl_;
  char error_[CURL_ERROR_SIZE] = {};
  std::atomic<bool> cancelled_{false};
};

}  // namespace http
