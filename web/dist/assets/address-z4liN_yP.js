<<<<<<<< HEAD:web/dist/assets/address-BBFwDOqp.js
import{V as e}from"./index-BUIu0QTj.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
========
import{V as e}from"./index-CyNqdwYM.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
>>>>>>>> 36a85130 (The list of jobs follows its address, and a new page has the keyboard at once):web/dist/assets/address-z4liN_yP.js
