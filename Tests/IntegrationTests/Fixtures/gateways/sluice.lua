-- Asks Sluice whether the session of a request may pass: sets txn.sluice_status and txn.sluice_user.
core.register_action("sluice", { "http-req" }, function(txn)
    txn:set_var("txn.sluice_status", 503)
    txn:set_var("txn.sluice_user", "")
    local sent = txn.http:req_get_headers()
    local headers = {}
    for _, name in ipairs({ "x-device-session-id", "cookie", "authorization" }) do
        if sent[name] then
            local values = {}
            for _, value in pairs(sent[name]) do values[#values + 1] = value end
            headers[name] = values
        end
    end
    local answer = core.httpclient():get{ url = "http://127.0.0.1:9192/", headers = headers, timeout = 1000 }
    if answer == nil or (answer.status ~= 200 and answer.status ~= 401 and answer.status ~= 403) then return end
    txn:set_var("txn.sluice_status", answer.status)
    local user = answer.headers and answer.headers["x-user-id"]
    if answer.status == 200 and user then txn:set_var("txn.sluice_user", user[0]) end
end, 0)
