/* Calls an operator of the host with the wrong argument. The answer has to be GRAPNEL_PENDING; it is
 * GRAPNEL_ERROR, with a text, when the host ran the call. */
#ifndef GRAPNEL_TESTS_HOSTILE_WRONG_CALL_H_
#define GRAPNEL_TESTS_HOSTILE_WRONG_CALL_H_

#include <grapnel/ext/aten.h>

#include "hostile.h"

static inline int32_t hostile_wrong_call(const grapnel_host* host) {
  const grapnel_aten* aten = hostile_find(host, GRAPNEL_EXT_ATEN);
  const grapnel_operator* op = NULL;
  if (aten == NULL ||
      aten->find(host, hostile_text("aten::clone"), hostile_text(""), &op) != GRAPNEL_OK) {
    return hostile_fail(host, "no aten::clone");
  }
  grapnel_value not_a_tensor = {GRAPNEL_VALUE_STRING, 0, 5, {0}};
  not_a_tensor.u.string = "hello";
  const int32_t status = aten->call(host, op, &not_a_tensor, 1, NULL, 0);
  return status == GRAPNEL_PENDING ? status : hostile_fail(host, "the host ran a wrong call");
}

#endif /* GRAPNEL_TESTS_HOSTILE_WRONG_CALL_H_ */
