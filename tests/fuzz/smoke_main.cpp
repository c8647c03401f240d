// Runs a fuzz target without libFuzzer: every file of a directory, then mutations of them.
//
//   fuzz_tests TARGET DIRECTORY [--mutations N] [--seed S]
//
// A finding ends the process as it would libFuzzer: by a signal, or by an exception, which is named. The
// input is then in TARGET.finding of the working directory, and `fuzz_tests TARGET FILE` repeats it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz_target.h"

namespace {

namespace fs = std::filesystem;
using Input = std::vector<std::byte>;

Input current;             // what the target is given now
std::string finding_file;  // where it goes if the target fails

// Only what a signal handler may do.
void keep_input() {
  const int file = open(finding_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, current.data(), current.size());
  close(file);
}

extern "C" void on_signal(int number) {
  keep_input();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

Input read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(2);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

void run(const grapnel::fuzz::Target& target, Input input) {
  current = std::move(input);
  try {
    target.run(current);
  } catch (const std::exception& error) {
    keep_input();
    std::fprintf(stderr, "the target %s let an exception out: %s\nthe input is in %s\n",
                 target.name, error.what(), finding_file.c_str());
    std::exit(1);
  }
}

// Changes an input a little, in one of the ways in which files are wrong.
class Mutator {
 public:
  Mutator(const std::vector<Input>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

  Input next() {
    Input input = corpus_.empty() ? Input() : corpus_[below(corpus_.size())];
    for (std::size_t left = 1 + below(4); left > 0; --left) change(input);
    return input;
  }

 private:
  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }

  void change(Input& input) {
    const std::size_t at = below(input.size() + 1);
    const std::size_t length = std::min(below(16) + 1, input.size() - at);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(7)) {
      case 0:
        if (at < input.size()) input[at] ^= std::byte{1} << below(8);
        return;
      case 1:
        if (at < input.size()) input[at] = static_cast<std::byte>(below(256));
        return;
      case 2:
        input.erase(place, place + static_cast<std::ptrdiff_t>(length));
        return;
      case 3:
        input.insert(place, below(8) + 1, static_cast<std::byte>(below(256)));
        return;
      case 4:
        input.resize(at);
        return;
      case 5: {  // an extreme number
        static constexpr std::uint64_t numbers[] = {0,
                                                    1,
                                                    0x7f,
                                                    0xff,
                                                    0x7fff,
                                                    0xffff,
                                                    0x7fffffff,
                                                    0xffffffff,
                                                    ~std::uint64_t{0} >> 1,
                                                    ~std::uint64_t{0}};
        const std::uint64_t number = numbers[below(std::size(numbers))];
        std::memcpy(input.data() + at, &number, std::min(length, sizeof number));
        return;
      }
      default: {  // a part of another
        const Input& other = corpus_[below(corpus_.size())];
        const std::size_t from = below(other.size() + 1);
        const std::size_t size = std::min(below(64) + 1, other.size() - from);
        const auto part = other.begin() + static_cast<std::ptrdiff_t>(from);
        input.insert(place, part, part + static_cast<std::ptrdiff_t>(size));
        return;
      }
    }
  }

  const std::vector<Input>& corpus_;
  std::mt19937_64 random_;
};

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names;
  std::uint64_t mutations = 2000;
  std::uint64_t seed = std::random_device()();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--mutations" && i + 1 < argc) {
      mutations = number(argv[++i]);
    } else if (argument == "--seed" && i + 1 < argc) {
      seed = number(argv[++i]);
    } else {
      names.push_back(argument);
    }
  }
  const auto& targets = grapnel::fuzz::targets();
  const auto target = std::find_if(targets.begin(), targets.end(), [&](const auto& one) {
    return !names.empty() && names[0] == one.name;
  });
  if (names.size() != 2 || target == targets.end() || !fs::exists(names[1])) {
    std::fprintf(stderr, "usage: fuzz_tests TARGET DIRECTORY|FILE [--mutations N] [--seed S]\n");
    for (const auto& one : targets) std::fprintf(stderr, "  %s\n", one.name);
    return 2;
  }
  finding_file = names[0] + ".finding";
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    std::signal(signal, on_signal);

  if (fs::is_regular_file(names[1])) {
    run(*target, read(names[1]));
    return 0;
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(names[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Input> corpus;
  for (const fs::path& file : files) corpus.push_back(read(file));
  if (corpus.empty()) {
    std::fprintf(stderr, "%s has no inputs\n", names[1].c_str());
    return 2;
  }
  std::printf("%s: %zu inputs, %llu mutations, --seed %llu\n", target->name, corpus.size(),
              static_cast<unsigned long long>(mutations), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  run(*target, {});
  for (const Input& input : corpus) run(*target, input);
  Mutator mutator(corpus, seed);
  for (std::uint64_t i = 0; i < mutations; ++i) run(*target, mutator.next());
  return 0;
}
